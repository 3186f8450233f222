use qc_model::EnvironmentName;

/// Where the server is for the world, and the names that follow from it. Each environment has an issuer and an audience
/// of its own, so that no token of one is anything in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    url: String,
}

impl Place {
    /// From the setting `public_url`: an absolute URL, with or without a slash at its end.
    pub fn new(public_url: &str) -> Self {
        Self { url: public_url.trim_end_matches('/').to_owned() }
    }

    /// The address itself, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether browsers reach it over TLS.
    pub fn is_secure(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// Who issues the access tokens of an environment (`iss`).
    pub fn issuer(&self, environment: &EnvironmentName) -> String {
        format!("{}/{environment}", self.url)
    }

    /// For whom they are (`aud`).
    pub fn audience(&self, environment: &EnvironmentName) -> String {
        format!("{}/{environment}/api", self.url)
    }

    /// Where tokens are got.
    pub fn token_endpoint(&self) -> String {
        format!("{}/oauth/token", self.url)
    }

    /// Where the public halves of an environment's keys are.
    pub fn jwks(&self, environment: &EnvironmentName) -> String {
        format!("{}/oauth/jwks/{environment}", self.url)
    }

    /// Where the identity provider sends browsers back to.
    pub fn callback(&self) -> String {
        format!("{}/login/callback", self.url)
    }

    /// Where the identity provider sends browsers that signed out.
    pub fn signed_out(&self) -> String {
        format!("{}/logout/done", self.url)
    }

    /// Where a person says that a command line is theirs.
    pub fn device_page(&self) -> String {
        format!("{}/device", self.url)
    }

    /// The origin, as browsers write it in `Origin`.
    pub fn origin(&self) -> String {
        url::Url::parse(&self.url)
            .map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
    }
}
