//! People sign in at a real provider through the real program.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, Stdio},
};

use qc_oidcserver::{Browser, Page, own};
use serde_json::{Value, json};
use url::Url;

use crate::stage::server::Server;

/// Goes wherever it is led.
fn travel(browser: &mut Browser, url: &str) -> Page {
    let mut page = browser.get(&Url::parse(url).unwrap());
    for _ in 0..10 {
        match page.redirect() {
            Some(to) => page = browser.get(&to),
            None => return page,
        }
    }
    panic!("{} leads round in circles", page.url);
}

/// A server whose people sign in at a real provider; None when there is none here.
async fn stage(folder: &std::path::Path) -> Option<(Server, qc_oidcserver::Server)> {
    let mut server = Server::new(folder);
    let url = format!("http://127.0.0.1:{}", server.port);
    let provider = own(&json!({
        "clients": [{
            "client_id": "qc", "client_secret": "hush",
            "redirect_uris": [format!("{url}/login/callback")],
            "post_logout_redirect_uris": [format!("{url}/logout/done")],
            "backchannel_logout_uri": format!("{url}/login/back-channel"),
            "backchannel_logout_session_required": true,
            "grant_types": ["authorization_code", "refresh_token"],
        }],
        "people": {
            "sub-1": { "email": "ines@example.test", "email_verified": true, "person": "ines", "groups": ["ops", "leads"] },
        },
    }))?;
    server.turn_vault_on();
    for (name, value) in [
        ("QC_PUBLIC_URL", url.as_str()),
        ("QC_OIDC_ISSUER", provider.issuer()),
        ("QC_OIDC_CLIENT_ID", "qc"),
        ("QC_OIDC_CLIENT_SECRET", "env:OIDC_SECRET"),
        ("OIDC_SECRET", "hush"),
        ("QC_OIDC_SCOPES", "openid profile offline_access"),
        ("QC_OIDC_ROLES", "ops=operator,leads=admin"),
        ("QC_OIDC_PERSON_CLAIM", "person"),
    ] {
        server.set(name, value);
    }
    server.start().await;
    Some((server, provider))
}

/// `qc login`, and the address that it shows.
fn login(server: &Server, role: &str) -> (Child, String) {
    let mut command = server.command();
    command.args(["login", "--role", role, "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let address = said.lines().map_while(Result::ok).find(|line| line.starts_with("http"));
    (child, address.expect("it shows an address"))
}

/// Its user says in the browser that it is theirs.
fn confirm(browser: &mut Browser, address: &str) -> Page {
    let asked = travel(browser, address);
    assert!(asked.body.contains("It is mine"), "{asked:?}");
    let code = asked.input("user_code").unwrap().to_owned();
    let url = asked.url.join("/device").unwrap();
    let page = browser.post(&url, &[("user_code", &code), ("answer", "yes")]);
    travel(browser, page.redirect().unwrap_or_else(|| panic!("{page:?}")).as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_a_command_line_in_at_a_real_provider_and_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some((server, provider)) = stage(folder.path()).await else { return };
    let owner = server.told(&["whoami"]);
    assert_eq!(owner["kind"], "local", "without a session it is the context file's token");
    let (child, address) = login(&server, "operator");
    let mut browser = Browser::of("sub-1");
    // The browser's own session needs a role, too, and several are to choose from.
    let choice = travel(&mut browser, &address);
    assert_eq!(choice.status, 403, "{choice:?}");
    let base = format!("http://127.0.0.1:{}", server.port);
    travel(&mut browser, &format!("{base}/login?role=admin"));
    let done = confirm(&mut browser, &address);
    assert!(done.body.contains("command line is signed in"), "{done:?}");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}\n{}", server.log_end());
    let me: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&me["kind"], &me["role"], &me["person"]),
        (&json!("session"), &json!("operator"), &json!("ines"))
    );
    let file = folder.path().join("session.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // All verbs act by it, in its role and no other.
    server.well(&["runs", "list"]);
    let refused = server.qc(&["tokens", "list"]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    // A token that is given counts before it.
    let mut command = server.command();
    let given = command.env("QC_TOKEN", server.token()).env("QC_URL", &base);
    let given = given.args(["tokens", "list"]).output().unwrap();
    assert!(given.status.success(), "{given:?}");
    let out = server.told(&["logout"]);
    assert!(out["provider_url"].as_str().unwrap().starts_with(provider.issuer()), "{out}");
    assert!(!file.exists());
    assert_eq!(server.told(&["whoami"])["kind"], "local");
    let sessions = server.told(&["access", "sessions"]);
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "the browser's: {sessions}");
    // Signing out at the provider ends the browser's session here, from behind.
    let page = browser.get(&Url::parse(out["provider_url"].as_str().unwrap()).unwrap());
    let xsrf = page.input("xsrf").unwrap_or_else(|| panic!("{page:?}")).to_owned();
    let confirm = Url::parse(&format!("{}/session/end/confirm", provider.issuer())).unwrap();
    browser.post(&confirm, &[("xsrf", &xsrf), ("logout", "yes")]);
    let began = std::time::Instant::now();
    while began.elapsed() < crate::stage::process::PATIENCE {
        if server.told(&["access", "sessions"])["items"] == json!([]) {
            return;
        }
    }
    panic!("the provider ended nothing here:\n{}", server.log_end());
}
