//! Where people sign in. All of it is given, or none.

use std::{collections::BTreeMap, path::PathBuf};

use qc_access::Role;
use url::{Host, Url};

use super::Reading;

/// The OpenID provider, and what its groups mean here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Oidc {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<SecretPlace>,
    pub(crate) scopes: String,
    pub(crate) groups_claim: String,
    pub(crate) person_claim: Option<String>,
    pub(crate) roles: BTreeMap<String, Vec<Role>>,
}

/// Where the secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// In a file, which is read each time that it is used.
    File(PathBuf),
    /// In a variable of the process environment.
    Variable(String),
}

impl SecretPlace {
    /// Reads `file:<path>` or `env:<variable>`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("file", path) if !path.is_empty() => Some(Self::File(path.into())),
            ("env", name) if !name.is_empty() => Some(Self::Variable(name.to_owned())),
            _ => None,
        }
    }
}

impl Reading<'_> {
    /// None: nobody signs in here, or something of it is wrong.
    pub(super) fn oidc(&mut self) -> Option<Oidc> {
        let begun = ["oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_roles"];
        if begun.iter().all(|key| self.text(key).is_empty()) {
            return None;
        }
        for (key, what) in [
            ("oidc_issuer", "the OpenID provider's issuer"),
            ("oidc_client_id", "who this server is at the OpenID provider"),
            ("oidc_roles", "which group gives which role; without one nobody may do anything"),
            ("public_url", "the address to which browsers come back"),
            (
                "vault_key",
                "where the key is that seals what the provider gives for a session, such as `file:<path>` with what `openssl rand -base64 32` prints",
            ),
        ] {
            if self.text(key).is_empty() {
                self.wrong(key, &format!("people sign in here, and it is empty; it says {what}"));
            }
        }
        let issuer = self.issuer();
        let client_secret = match self.text("oidc_client_secret") {
            text if text.is_empty() => None,
            text => {
                let place = SecretPlace::parse(&text);
                if place.is_none() {
                    // What is wrong is not repeated: it may be the secret.
                    self.wrong("oidc_client_secret", "it is not `file:<path>` or `env:<variable>`");
                }
                place
            }
        };
        let scopes = self.text("oidc_scopes");
        if !scopes.split_whitespace().any(|scope| scope == "openid") {
            self.wrong("oidc_scopes", "`openid` is not among them");
        }
        let roles = self.roles();
        Some(Oidc {
            issuer: issuer?,
            client_id: self.text("oidc_client_id"),
            client_secret,
            scopes: scopes.split_whitespace().collect::<Vec<_>>().join(" "),
            groups_claim: self.text("oidc_groups_claim"),
            person_claim: Some(self.text("oidc_person_claim")).filter(|text| !text.is_empty()),
            roles,
        })
    }

    /// Over TLS, but on this machine: whoever can read along could sign in as anybody.
    fn issuer(&mut self) -> Option<String> {
        let text = self.text("oidc_issuer");
        if text.is_empty() {
            return None;
        }
        self.parse(
            "oidc_issuer",
            "an https URL without query (http on the loopback address)",
            |text| {
                let url = Url::parse(text).ok()?;
                let here = match url.host()? {
                    Host::Ipv4(address) => address.is_loopback(),
                    Host::Ipv6(address) => address.is_loopback(),
                    Host::Domain(name) => name == "localhost",
                };
                let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
                let bare = url.query().is_none() && url.fragment().is_none();
                (safe && bare && url.username().is_empty()).then(|| text.to_owned())
            },
        )
    }

    /// Groups and roles, by commas or, from a table, by lines. The role is behind the last `=`: names of groups may have
    /// some, too.
    fn roles(&mut self) -> BTreeMap<String, Vec<Role>> {
        // Not `text`, which takes the line's end off a table's one pair.
        let text = self.all.get("oidc_roles").map(|own| own.value.clone()).unwrap_or_default();
        let between = if text.contains('\n') { '\n' } else { ',' };
        let mut roles: BTreeMap<String, Vec<Role>> = BTreeMap::new();
        for pair in text.split(between).map(str::trim).filter(|pair| !pair.is_empty()) {
            let parsed = pair.rsplit_once('=').and_then(|(group, role)| {
                let group = Some(group.trim()).filter(|group| !group.is_empty())?;
                Some((group.to_owned(), Role::parse(role.trim())?))
            });
            let Some((group, role)) = parsed else {
                let names = Role::ALL.map(Role::as_str).join(", ");
                self.wrong(
                    "oidc_roles",
                    &format!("`{pair}` is not `group=role`; roles are {names}"),
                );
                continue;
            };
            roles.entry(group).or_default().push(role);
        }
        roles
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::Trouble,
        config::{Config, Said},
    };

    fn with(pairs: &[(&str, &str)]) -> Result<Config, Trouble> {
        let flags = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::new(&Said { flags, file: Some("/dev/null".into()), ..Said::default() })
    }

    const WHOLE: [(&str, &str); 6] = [
        ("oidc_issuer", "https://id.example.test"),
        ("oidc_client_id", "qc"),
        ("oidc_client_secret", "env:OIDC"),
        ("oidc_roles", "ops=operator, cn=leads=admin,ops=admin"),
        ("public_url", "https://qc.example.test"),
        ("vault_key", "file:/kek"),
    ];

    #[test]
    fn all_of_it_is_given_or_none() {
        assert_eq!(with(&[]).unwrap().oidc, None);
        let oidc = with(&WHOLE).unwrap().oidc.unwrap();
        assert_eq!(oidc.roles["ops"], [Role::Operator, Role::Admin]);
        assert_eq!(oidc.roles["cn=leads"], [Role::Admin]);
        assert_eq!(oidc.client_secret, Some(SecretPlace::Variable("OIDC".to_owned())));
        for missing in ["oidc_issuer", "oidc_client_id", "oidc_roles", "public_url", "vault_key"] {
            let rest: Vec<_> = WHOLE.into_iter().filter(|(key, _)| *key != missing).collect();
            let trouble = with(&rest).unwrap_err();
            assert_eq!(trouble.findings.len(), 1, "{missing}: {trouble:?}");
            assert!(trouble.findings[0].message.contains(missing), "{trouble:?}");
        }
        let one = with(&[("oidc_issuer", "https://id.example.test")]).unwrap_err();
        assert_eq!(one.findings.len(), 4, "{one:?}");
    }

    #[test]
    fn what_is_wrong_is_named_and_a_secret_is_not_repeated() {
        let mut all = WHOLE;
        for (at, wrong) in [
            (0, "http://id.example.test"),
            (0, "https://id.example.test/?a=b"),
            (2, "hunter2"),
            (3, "ops=root"),
            (3, "ops"),
        ] {
            let key = all[at].0;
            let right = std::mem::replace(&mut all[at].1, wrong);
            let trouble = with(&all).unwrap_err();
            assert!(trouble.findings[0].message.contains(key), "{trouble:?}");
            assert!(!format!("{trouble:?}").contains("hunter2"));
            all[at].1 = right;
        }
        all[0].1 = "http://127.0.0.1:8080";
        assert!(with(&all).is_ok());
    }

    #[test]
    fn a_table_takes_groups_with_commas() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("qc.toml");
        let lines: Vec<String> = WHOLE
            .iter()
            .filter(|(key, _)| *key != "oidc_roles")
            .map(|(key, value)| format!("{key} = \"{value}\"\n"))
            .collect();
        let table = "[oidc_roles]\n\"cn=ops,ou=groups\" = \"operator\"\n";
        std::fs::write(&file, lines.concat() + table).unwrap();
        let said = Said { file: Some(file), ..Said::default() };
        let roles = Config::new(&said).unwrap().oidc.unwrap().roles;
        assert_eq!(roles["cn=ops,ou=groups"], [Role::Operator]);
    }
}
