//! Known answers: published examples of GitHub, Slack and Standard Webhooks; the others computed with Python's hmac.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use qc_document::{ParseLimits, Reader, Source, parse_yaml};
use qc_model::{Code, Timestamp};
use qc_vault::Secret;

use super::*;
use crate::codes;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn scheme(yaml: &str) -> SignatureScheme {
    let document = parse_yaml(Source::new("s.yaml", yaml), &ParseLimits::default()).unwrap();
    let reader = Reader::new(&document.source);
    let scheme = SignatureScheme::parse(&reader, &document.root);
    assert_eq!(reader.finish(), []);
    scheme.unwrap()
}

fn refused(yaml: &str) -> String {
    let document = parse_yaml(Source::new("s.yaml", yaml), &ParseLimits::default()).unwrap();
    let reader = Reader::new(&document.source);
    assert_eq!(SignatureScheme::parse(&reader, &document.root), None);
    reader.finish()[0].message.clone()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn code(result: Result<(), SignatureError>) -> Option<Code> {
    result.err().map(|error| error.code)
}

const HELLO: &[u8] = b"Hello, World!";
const HELLO_SIGNATURE: &str =
    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const HELLO_SECRET: &str = "It's a Secret to Everybody";

#[test]
fn github_as_documented() {
    let scheme = scheme("github");
    let signed = headers(&[("x-hub-signature-256", HELLO_SIGNATURE)]);
    let secrets = [Secret::new(HELLO_SECRET)];
    assert_eq!(scheme.verify(&signed, HELLO, &secrets, at(0)), Ok(()));
    let other = scheme.verify(&signed, b"Hello, World?", &secrets, at(0));
    assert_eq!(code(other), Some(codes::SIGNATURE_MISMATCH));
    let missing = scheme.verify(&HeaderMap::new(), HELLO, &secrets, at(0));
    assert_eq!(code(missing), Some(codes::SIGNATURE_MISSING));
    let twice = headers(&[
        ("x-hub-signature-256", HELLO_SIGNATURE),
        ("x-hub-signature-256", HELLO_SIGNATURE),
    ]);
    assert_eq!(
        code(scheme.verify(&twice, HELLO, &secrets, at(0))),
        Some(codes::SIGNATURE_MALFORMED)
    );
}

#[test]
fn the_earlier_secret_is_good_while_both_live() {
    let scheme = scheme("github");
    let signed = headers(&[("x-hub-signature-256", HELLO_SIGNATURE)]);
    let both = [Secret::new("new"), Secret::new(HELLO_SECRET)];
    assert_eq!(scheme.verify(&signed, HELLO, &both, at(0)), Ok(()));
    assert!(scheme.verify(&signed, HELLO, &both[..1], at(0)).is_err());
    assert!(scheme.verify(&signed, HELLO, &[], at(0)).is_err());
}

#[test]
fn slack_as_documented_and_only_while_fresh() {
    let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signed = headers(&[
        ("x-slack-request-timestamp", "1531420618"),
        (
            "x-slack-signature",
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        ),
    ]);
    let secrets = [Secret::new("8f742231b10e8888abcd99yyyzzz85a5")];
    let slack = scheme("slack");
    assert_eq!(slack.verify(&signed, body, &secrets, at(1_531_420_700)), Ok(()));
    for stale in [1_531_420_618 + 301, 1_531_420_618 - 301] {
        assert_eq!(
            code(slack.verify(&signed, body, &secrets, at(stale))),
            Some(codes::SIGNATURE_STALE)
        );
    }
    let strict = scheme("{scheme: slack, tolerance: 10s}");
    assert!(strict.verify(&signed, body, &secrets, at(1_531_420_618 + 11)).is_err());
}

#[test]
fn standard_webhooks_takes_one_of_several_signatures() {
    let secrets = [Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
    let body = br#"{"test": 2432232314}"#;
    let now = at(1_614_265_330);
    let with = |signature: &str| {
        headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ])
    };
    let scheme = scheme("standard-webhooks");
    let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert_eq!(scheme.verify(&with(good), body, &secrets, now), Ok(()));
    let several = format!("v1a,AAAA v1,AAAA {good}");
    assert_eq!(scheme.verify(&with(&several), body, &secrets, now), Ok(()));
    let wrong = scheme.verify(&with("v1,AAAA"), body, &secrets, now);
    assert_eq!(code(wrong), Some(codes::SIGNATURE_MISMATCH));
    let asymmetric = scheme.verify(&with("v1a,AAAA"), body, &secrets, now);
    assert_eq!(code(asymmetric), Some(codes::SIGNATURE_MALFORMED));
    let bad_secret = scheme.verify(&with(good), body, &[Secret::new("whsec_%%%")], now);
    assert_eq!(code(bad_secret), Some(codes::SIGNING_SECRET));
    assert!(scheme.verify(&with(good), body, &secrets, at(1_614_265_330 + 301)).is_err());
}

#[test]
fn stripe_with_two_signatures() {
    let body = br#"{"id":"evt_1"}"#;
    let good = "c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
    let secrets = [Secret::new("whsec_test")];
    let stripe = scheme("stripe");
    let with = |value: &str| headers(&[("stripe-signature", value)]);
    let signed = with(&format!("t=1700000000,v1=00ff,v1={good},v0=junk"));
    assert_eq!(stripe.verify(&signed, body, &secrets, at(1_700_000_000)), Ok(()));
    assert!(stripe.verify(&signed, body, &secrets, at(1_700_000_400)).is_err());
    // The time is signed: another one does not fit.
    let moved = with(&format!("t=1700000001,v1={good}"));
    assert_eq!(
        code(stripe.verify(&moved, body, &secrets, at(1_700_000_001))),
        Some(codes::SIGNATURE_MISMATCH)
    );
    assert!(stripe.verify(&with("v1=00"), body, &secrets, at(1_700_000_000)).is_err());
}

#[test]
fn a_scheme_of_ones_own() {
    let own = scheme(
        "scheme: hmac\nheader: X-Sig\nalgorithm: sha512\nencoding: base64\ncontent: '{timestamp}|{body}'\ntimestamp_header: X-Time\ntimestamp_unit: milliseconds\ntolerance: 1m\n",
    );
    let signed = headers(&[
        (
            "x-sig",
            "F2LnqshXGw8AWKUp+vT6s3Ko64KbqeZ9wMaFV4D5hntaw9XtlqGBA98TNWZAwWsi4TBDNvqH1XfV0nAvrFsOAQ==",
        ),
        ("x-time", "1700000000123"),
    ]);
    let secrets = [Secret::new("s3cret")];
    assert_eq!(own.verify(&signed, br#"{"a":1}"#, &secrets, at(1_700_000_030)), Ok(()));
    assert!(own.verify(&signed, br#"{"a":1}"#, &secrets, at(1_700_000_090)).is_err());

    let old = scheme("{scheme: hmac, header: X-Sig, algorithm: sha1}");
    let signed = headers(&[("x-sig", "79999786A1BFF10CD4D7DD0B0752574AF76BE0B5")]);
    assert_eq!(old.verify(&signed, br#"{"a":1}"#, &secrets, at(0)), Ok(()));

    let token = scheme("{scheme: token, header: X-Gitlab-Token}");
    assert!(!token.covers_body());
    let signed = headers(&[("x-gitlab-token", "s3cret")]);
    assert_eq!(token.verify(&signed, b"anything", &secrets, at(0)), Ok(()));
    let wrong = headers(&[("x-gitlab-token", "s3cre")]);
    assert!(token.verify(&wrong, b"anything", &secrets, at(0)).is_err());
}

#[test]
fn schemes_that_prove_nothing_are_refused() {
    assert!(refused("{scheme: hmac, header: X, content: 'fixed'}").contains("{body}"));
    assert!(refused("{scheme: hmac, header: X, timestamp_header: T}").contains("{timestamp}"));
    assert!(
        refused("{scheme: hmac, header: X, content: '{timestamp}{body}'}")
            .contains("timestamp_header")
    );
    assert!(refused("hmac").contains("settings"));
    assert!(refused("githup").contains("`github`"));
}

fn challenge(yaml: &str) -> Challenge {
    let document = parse_yaml(Source::new("c.yaml", yaml), &ParseLimits::default()).unwrap();
    let reader = Reader::new(&document.source);
    let challenge = Challenge::parse(&reader, &document.root);
    assert_eq!(reader.finish(), []);
    challenge.unwrap()
}

#[test]
fn handshakes_are_answered() {
    let none = HeaderMap::new();
    let secrets = [Secret::new("consumer")];
    let text = |answer: Option<ChallengeAnswer>| {
        let answer = answer.unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    };

    let slack = challenge("slack");
    assert!(slack.is_signed());
    let body = br#"{"type":"url_verification","challenge":"abc"}"#;
    let answer = slack.answer(&Method::POST, "", &none, body, &[]);
    assert_eq!(text(answer), (200, r#"{"challenge":"abc"}"#.to_owned()));
    let event = br#"{"type":"event_callback","challenge":"abc"}"#;
    assert_eq!(slack.answer(&Method::POST, "", &none, event, &[]), None);

    let meta = challenge("{kind: meta, secret: secret://meta/verify}");
    assert_eq!(meta.secret.as_ref().unwrap().name(), "meta/verify");
    let query = "hub.mode=subscribe&hub.verify_token=consumer&hub.challenge=115";
    assert_eq!(
        text(meta.answer(&Method::GET, query, &none, b"", &secrets)),
        (200, "115".to_owned())
    );
    let forged = query.replace("consumer", "other");
    assert_eq!(text(meta.answer(&Method::GET, &forged, &none, b"", &secrets)).0, 403);
    assert_eq!(meta.answer(&Method::POST, query, &none, b"", &secrets), None);

    let crc = challenge("crc");
    let answer = crc.answer(&Method::GET, "crc_token=tok123", &none, b"", &secrets);
    let expected = r#"{"response_token":"sha256=ie5ck2bX/d+dWGEEr9613Tsgnt1wn6Gkj/5M35cWP38="}"#;
    assert_eq!(text(answer), (200, expected.to_owned()));

    // Without the secret a handshake is refused, not taken for a delivery.
    assert_eq!(text(crc.answer(&Method::GET, "crc_token=t", &none, b"", &[])).0, 403);
    let query = "hub.mode=subscribe&hub.verify_token=&hub.challenge=115";
    assert_eq!(text(meta.answer(&Method::GET, query, &none, b"", &[])).0, 403);

    let graph = challenge("microsoft-graph");
    let query = "validationToken=Validation%3A%20%3Cb%3Ex%3C%2Fb%3E";
    let answer = graph.answer(&Method::POST, query, &none, b"", &[]).unwrap();
    assert_eq!(answer.body, b"Validation: <b>x</b>");
    assert!(answer.headers.contains(&("x-content-type-options", "nosniff".to_owned())));
    assert_eq!(graph.answer(&Method::POST, "", &none, b"{}", &[]), None);
}

#[test]
fn cloudevents_senders_are_let_in_by_origin() {
    let open = challenge("cloudevents");
    let asking =
        headers(&[("webhook-request-origin", "events.test"), ("webhook-request-rate", "120")]);
    let answer = open.answer(&Method::OPTIONS, "", &asking, b"", &[]).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.headers.contains(&("webhook-allowed-origin", "events.test".to_owned())));
    assert!(answer.headers.contains(&("webhook-allowed-rate", "*".to_owned())));
    let closed = challenge("{kind: cloudevents, origins: [other.test]}");
    assert_eq!(closed.answer(&Method::OPTIONS, "", &asking, b"", &[]).unwrap().status, 403);
    assert_eq!(open.answer(&Method::OPTIONS, "", &HeaderMap::new(), b"", &[]), None);
}

proptest! {
    /// What is signed here is let in, by nobody else's secret and with no other body.
    #[test]
    fn what_is_signed_is_let_in(body in proptest::collection::vec(any::<u8>(), 0..64), seconds in 1_000_000_000..2_000_000_000i64) {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let other = [Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")];
        let longer = [&body[..], b"x"].concat();
        let own = "{scheme: hmac, header: X-Sig, algorithm: sha512, encoding: base64, content: 'a{header:X-Id}.{timestamp}.{body}', timestamp_header: X-At, timestamp_unit: milliseconds, tolerance: 1m}";
        for name in ["standard-webhooks", "github", "slack", "stripe", "{scheme: token, header: X-Token}", own] {
            let (scheme, now) = (scheme(name), at(seconds));
            let mut sent = headers(&[("x-id", "7")]);
            scheme.sign(&mut sent, &body, &secret, "msg_1", now).unwrap();
            prop_assert_eq!(scheme.verify(&sent, &body, std::slice::from_ref(&secret), now), Ok(()), "{}", name);
            prop_assert!(scheme.verify(&sent, &body, &other, now).is_err(), "{}", name);
            let covered = scheme.covers_body();
            prop_assert_eq!(scheme.verify(&sent, &longer, std::slice::from_ref(&secret), now).is_err(), covered, "{}", name);
        }
    }

    /// Whatever stands in the headers, verification answers and never lets an unsigned body in.
    #[test]
    fn nothing_unsigned_gets_in(
        value in "[ -~]{0,80}", stamp in "[0-9.-]{0,20}", body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let secrets = [Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
        let all = headers(&[
            ("webhook-id", &value), ("webhook-timestamp", &stamp), ("webhook-signature", &value),
            ("x-hub-signature-256", &value), ("x-slack-signature", &value), ("stripe-signature", &value),
            ("x-slack-request-timestamp", &stamp),
        ]);
        for name in ["standard-webhooks", "github", "slack", "stripe"] {
            prop_assert!(scheme(name).verify(&all, &body, &secrets, at(1_700_000_000)).is_err());
        }
    }
}
