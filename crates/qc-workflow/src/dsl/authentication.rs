//! Authentication policies: basic, bearer and OAuth 2 client credentials. Secret-typed fields take
//! an expression over `$secrets` or `use: <secret>`; a literal is refused.

use qc_document::{Node, ObjectReader, Reader};

use super::{
    AuthenticationUse, Credentials, Text,
    fields::{is_expression, refuse, required_text, text, unsupported},
};
use crate::{AuthenticationScheme, ClientAuthentication, codes};

const SCHEMES: [&str; 5] = ["basic", "bearer", "oauth2", "digest", "oidc"];

/// Reads a policy or the name of one in `use.authentications`.
pub(super) fn authentication_use(reader: &Reader<'_>, node: &Node) -> Option<AuthenticationUse> {
    let fields = reader.object(node, "`authentication`")?;
    if !fields.has("use") {
        return credentials(reader, node).map(AuthenticationUse::Inline);
    }
    let mut fields = fields;
    let name = required_text(&mut fields, "use");
    fields.finish();
    name.map(AuthenticationUse::Named)
}

/// Reads a policy.
pub(super) fn credentials(reader: &Reader<'_>, node: &Node) -> Option<Credentials> {
    let mut fields = reader.object(node, "the authentication")?;
    refuse(&mut fields, "certificate", "certificate authentication", ALTERNATIVES);
    let refused = fields.has("certificate");
    let found = if refused { fields.at_most_one(&SCHEMES) } else { fields.exactly_one(&SCHEMES) };
    fields.finish();
    let (scheme, node) = found?;
    let of = match scheme {
        "basic" => AuthenticationScheme::Basic,
        "bearer" => AuthenticationScheme::Bearer,
        "oauth2" => AuthenticationScheme::OAuth2,
        other => {
            unsupported(reader, node.span, &format!("{other} authentication"), ALTERNATIVES);
            return None;
        }
    };
    let mut fields = reader.object(node, &format!("`{scheme}`"))?;
    if fields.has("use") {
        let name = required_text(&mut fields, "use");
        fields.finish();
        return name.map(|name| Credentials::Secret { of, name });
    }
    let read = match of {
        AuthenticationScheme::Basic => basic(&mut fields),
        AuthenticationScheme::Bearer => {
            secret_text(&mut fields, "token").map(|token| Credentials::Bearer { token })
        }
        AuthenticationScheme::OAuth2 => oauth2(&mut fields),
    };
    fields.finish();
    read
}

const ALTERNATIVES: &str = "use `basic`, `bearer` or `oauth2` with client credentials, or put the \
                            call into a connector, which knows more ways";

fn basic(fields: &mut ObjectReader<'_, '_>) -> Option<Credentials> {
    let username = required_text(fields, "username");
    let password = secret_text(fields, "password");
    Some(Credentials::Basic { username: username?, password: password? })
}

/// A text field that holds a secret.
fn secret_text(fields: &mut ObjectReader<'_, '_>, key: &'static str) -> Option<Text> {
    let written = required_text(fields, key)?;
    let reader = fields.reader();
    if !is_expression(&written.text) {
        let message = format!("`{key}` holds a secret and must not be written into the file");
        let help = format!(
            "declare the secret under `use.secrets` and write `{key}: ${{ $secrets.NAME }}`; \
             then replace the secret that was here, as it has been in a file"
        );
        reader.push(reader.error(codes::LITERAL_SECRET, written.span, message).help(help));
        return None;
    }
    if !written.text.contains("$secrets") {
        let message =
            format!("`{key}` holds a secret and is taken from data that the journal keeps");
        let help =
            format!("declare it under `use.secrets` and write `${{ $secrets.NAME }}` for `{key}`");
        reader.push(reader.warning(codes::SECRET_FROM_DATA, written.span, message).help(help));
    }
    Some(written)
}

fn oauth2(fields: &mut ObjectReader<'_, '_>) -> Option<Credentials> {
    let reader = fields.reader();
    let authority = required_text(fields, "authority");
    if let Some(grant) = required_text(fields, "grant")
        && &*grant.text != "client_credentials"
    {
        let feature = format!("oauth2 grant {}", grant.text);
        let help = "only `client_credentials` works without a person; connections of a \
                        connector hold what a person has granted";
        unsupported(reader, grant.span, &feature, help);
    }
    let help = "it belongs to a grant that the profile does not have";
    for key in ["username", "password", "subject", "actor"] {
        refuse(fields, key, &format!("oauth2.{key}"), help);
    }
    refuse(fields, "issuers", "oauth2.issuers", "tokens are taken from `authority` only");
    request(fields);
    let client = fields.object("client").and_then(|mut client| {
        refuse(&mut client, "assertion", "oauth2.client.assertion", "use `client.secret`");
        let id = required_text(&mut client, "id");
        let secret = secret_text(&mut client, "secret");
        let method = client_authentication(&mut client);
        client.finish();
        Some((id?, secret?, method?))
    });
    let token_path = token_path(fields);
    let texts = |items: Vec<(&Node, &str)>| items.iter().filter_map(|(n, _)| text(n)).collect();
    let scopes = texts(fields.strings("scopes"));
    let audiences = texts(fields.strings("audiences"));
    let (client_id, client_secret, client_authentication) = client?;
    Some(Credentials::OAuth2 {
        authority: authority?,
        token_path,
        client_id,
        client_secret,
        client_authentication,
        scopes,
        audiences,
    })
}

/// `request.encoding`: only the form that every token endpoint reads.
fn request(fields: &mut ObjectReader<'_, '_>) {
    let Some(mut request) = fields.optional_object("request") else { return };
    if let Some(encoding) = request.optional("encoding")
        && encoding.as_str() != Some("application/x-www-form-urlencoded")
    {
        let help = "token requests are sent as `application/x-www-form-urlencoded`";
        unsupported(request.reader(), encoding.span, "oauth2.request.encoding", help);
    }
    request.finish();
}

fn client_authentication(client: &mut ObjectReader<'_, '_>) -> Option<ClientAuthentication> {
    let Some(node) = client.optional("authentication") else {
        return Some(ClientAuthentication::default());
    };
    match node.as_str() {
        Some("client_secret_post") => Some(ClientAuthentication::ClientSecretPost),
        Some("client_secret_basic") => Some(ClientAuthentication::ClientSecretBasic),
        _ => {
            let help = "use `client_secret_post` or `client_secret_basic`";
            let feature = format!(
                "oauth2.client.authentication {}",
                node.as_str().unwrap_or("of another kind")
            );
            unsupported(client.reader(), node.span, &feature, help);
            None
        }
    }
}

fn token_path(fields: &mut ObjectReader<'_, '_>) -> Text {
    let standard = Text { text: "/oauth2/token".into(), span: fields.span() };
    let Some(mut endpoints) = fields.optional_object("endpoints") else { return standard };
    let help = "nothing calls it; leave it out";
    refuse(&mut endpoints, "revocation", "oauth2.endpoints.revocation", help);
    refuse(&mut endpoints, "introspection", "oauth2.endpoints.introspection", help);
    let token = endpoints.optional("token").and_then(text);
    endpoints.finish();
    token.unwrap_or(standard)
}
