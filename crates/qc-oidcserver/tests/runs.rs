//! The provider that other tests stand on does what they ask of it.

use qc_oidcserver::{Browser, own};
use serde_json::{Value, json};
use url::Url;

#[test]
fn somebody_signs_in_and_is_removed() {
    let settings = json!({
        "clients": [{
            "client_id": "app", "client_secret": "of the app",
            "redirect_uris": ["http://127.0.0.1:9/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
        }],
        "people": { "ines": { "groups": ["ops"] } },
    });
    let Some(server) = own(&settings) else { return };
    // The challenge is that of RFC 7636, appendix B.
    let url = format!(
        "{}/auth?response_type=code&client_id=app&redirect_uri=http://127.0.0.1:9/callback&scope=openid+groups+offline_access\
         &prompt=consent&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        server.issuer()
    );
    let page = Browser::of("ines").get(&Url::parse(&url).unwrap());
    let back = page.redirect().unwrap_or_else(|| panic!("{page:?}"));
    let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let mut client = Browser::default();
    let mut tokens = |form: &[(&str, &str)]| -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let to = Url::parse(&format!("{}/token", server.issuer())).unwrap();
        // `app:of+the+app`, which is form-encoded within.
        let fields = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", "Basic YXBwOm9mK3RoZSthcHA="),
        ];
        let page = client.ask("POST", &to, &fields, &body);
        (page.status, serde_json::from_str(&page.body).expect("JSON"))
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:9/callback"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    let (status, given) = tokens(&form);
    assert_eq!(status, 200, "{given}");
    assert!(given["id_token"].is_string(), "{given}");
    let refresh = given["refresh_token"].as_str().expect("offline access").to_owned();
    let (status, given) = tokens(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)]);
    assert_eq!(status, 200, "{given}");
    let next = given["refresh_token"].as_str().expect("it rotates").to_owned();
    assert_ne!(next, refresh);
    server.remove("ines");
    let (status, given) = tokens(&[("grant_type", "refresh_token"), ("refresh_token", &next)]);
    assert_eq!((status, given["error"].as_str()), (400, Some("invalid_grant")), "{given}");
}
