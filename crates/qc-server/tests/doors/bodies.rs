//! Bodies that are wrong in every way: each gets a problem document, none a 500 and none a hang.

use std::time::Duration;

use qc_model::{Entropy, Seeded};
use qc_server::ServerSettings;
use serde_json::json;

use crate::{
    client::{Ask, Reply, exchange},
    world::{World, door},
};

fn below(dice: &Seeded, limit: usize) -> usize {
    usize::try_from(dice.next_u64() % u64::try_from(limit).unwrap()).unwrap()
}

#[tokio::test]
async fn each_malformed_text_is_named_by_code_and_place() {
    let world = World::new().await;
    let deep = "[".repeat(10_000);
    let long_number = format!("[{}]", "9".repeat(400));
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(&[u8], &str, Option<&str>)> = vec![
        (b"", "QC-Q001", Some("")),
        (b"   ", "QC-Q001", Some("")),
        (b"nonsense", "QC-Q001", Some("")),
        (b"{\"a\":", "QC-Q001", None),
        (b"{\"a\":1,}", "QC-Q001", None),
        (b"{'a':1}", "QC-Q001", None),
        (b"[1,2", "QC-Q001", None),
        (b"{} {}", "QC-Q001", None),
        (b"{\"a\":NaN}", "QC-Q001", Some("/a")),
        (b"{\"a\":01}", "QC-Q001", Some("/a")),
        (b"{\"a\":1/*x*/}", "QC-Q001", None),
        (b"{\"a\":\"\x01\"}", "QC-Q001", Some("/a")),
        (b"{\"a\":{\"b\":1,\"b\":2}}", "QC-Q002", Some("/a/b")),
        // The pointer shows the key as it was written, escape and all: see the parser in qc-document.
        (b"{\"a\":1,\"\\u0061\":2}", "QC-Q002", None),
        (b"[0,{\"a/b~\":1,\"a/b~\":1}]", "QC-Q002", Some("/1/a~1b~0")),
        (deep.as_bytes(), "QC-Q003", None),
        (b"\xef\xbb\xbf{}", "QC-Q005", Some("")),
        (&utf16, "QC-Q005", Some("")),
        (b"{\"a\":\"\xff\"}", "QC-Q005", None),
        (b"{\"a\":\"\xed\xa0\x80\"}", "QC-Q005", None),
        (b"{\"a\":\"\\ud800\"}", "QC-Q005", Some("/a")),
        (b"{\"a\":\"\\udc00\\ud800\"}", "QC-Q005", Some("/a")),
        (long_number.as_bytes(), "QC-Q006", Some("/0")),
        (b"[1e400]", "QC-Q006", Some("/0")),
    ];
    for (body, code, pointer) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let reply = world.send("json", body).await;
        let told = reply.json();
        assert_eq!((reply.status, &told["code"]), (400, &json!(code)), "{shown}: {told}");
        let told = reply.problem(400, code);
        assert_eq!(told["next_action"], "fix_request", "{shown}");
        assert_eq!(told["owner"], "team-doors", "{shown}");
        assert_eq!(reply.pointers().len(), 1, "{shown}");
        if let Some(pointer) = pointer {
            assert_eq!(reply.pointers(), [pointer], "{shown}");
        }
    }
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn odd_but_legal_bodies_are_taken_unchanged() {
    let world = World::new().await;
    for body in [
        "null",
        "0",
        "\"\"",
        "[]",
        "{\"\":1}",
        "  {}\n",
        "-0.0",
        "1.5e10",
        "{\"a\":\"\\ud83d\\ude00\"}",
        "9007199254740993",
        "{\"__proto__\":{}}",
        "\"\\u0000\"",
    ] {
        let expected: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(world.data(&world.send("json", body).await.run()).await, expected, "{body}");
    }
}

#[tokio::test]
async fn sizes_are_bounded_before_and_while_reading() {
    let world = World::new().await;
    let stated = world.send("json", vec![b' '; 10 << 20]).await;
    assert_eq!(stated.problem(413, "QC-I003")["next_action"], "fix_request");
    assert_eq!(stated.header("connection"), Some("close"));
    // Nothing of it needs to come: the stated length is enough.
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n",
        door("json")
    );
    let raw = exchange(world.address, head.as_bytes()).await;
    Reply::read(&raw, false).0.problem(413, "QC-I003");
    // In chunks, nobody says how much there will be.
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let chunked = Ask::post(&door("json"), chunk.repeat(1_000) + "0\r\n\r\n")
        .header("transfer-encoding", "chunked");
    world.ask(chunked).await.problem(413, "QC-I003");
    let small = Ask::post(&door("small"), "5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n")
        .header("transfer-encoding", "chunked");
    assert_eq!(world.data(&world.ask(small).await.run()).await, json!({"a": 1}));
    // The limit itself is allowed, one more is not.
    let exactly = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    world.send("small", exactly(1_000)).await.run();
    world.send("small", exactly(1_001)).await.problem(413, "QC-I003");
    assert_eq!(world.runs().await, 2);
}

#[tokio::test]
async fn lengths_that_lie_do_no_harm() {
    let settings =
        ServerSettings { body_timeout: Duration::from_millis(200), ..ServerSettings::default() };
    let world = World::with(settings).await;
    let head = |extra: &str| {
        format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{extra}\r\n",
            door("json")
        )
    };
    // Less comes than was said: given up in time, and not taken.
    let raw =
        exchange(world.address, format!("{}{{}}", head("content-length: 10\r\n")).as_bytes()).await;
    Reply::read(&raw, false).0.problem(408, "QC-I018");
    // Nothing, broken chunks, contradicting lengths: an answer of 400 or a closed connection, and no run.
    for (extra, body) in [
        ("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "ffffffffffffffffff\r\n{}"),
        ("content-length: 2\r\ncontent-length: 3\r\n", "{} "),
        ("content-length: -1\r\n", "{}"),
        ("content-length: x\r\n", "{}"),
        ("transfer-encoding: gzip\r\n", "{}"),
    ] {
        let raw = exchange(world.address, format!("{}{body}", head(extra)).as_bytes()).await;
        if !raw.is_empty() {
            let status = Reply::read(&raw, false).0.status;
            assert!((400..500).contains(&status), "{extra:?} {status}");
        }
    }
    assert_eq!(world.runs().await, 0);
    // More comes than was said: the rest is no part of the body.
    let raw = exchange(
        world.address,
        format!("{}{{}}garbage", head("connection: close\r\ncontent-length: 2\r\n")).as_bytes(),
    )
    .await;
    assert_eq!(Reply::read(&raw, false).0.status, 202);
    assert_eq!(world.runs().await, 1);
}

#[tokio::test]
async fn a_length_and_chunks_together_smuggle_nothing() {
    let world = World::new().await;
    let smuggled = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
        door("json")
    );
    let outer = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n[]\r\n0\r\n\r\n{smuggled}",
        door("json"),
        12 + smuggled.len(),
    );
    exchange(world.address, outer.as_bytes()).await;
    assert!(world.runs().await <= 1, "the rest of the body was taken for a request");
}

#[tokio::test]
async fn other_types_and_encodings_are_refused() {
    let world = World::new().await;
    let ask = |media: &str| Ask::post(&door("json"), "{}").with("content-type", media);
    for media in [
        "text/plain",
        "application/xml",
        "multipart/form-data",
        "",
        "json",
        "application/x-ndjson",
        "application/jsonx",
    ] {
        let reply = world.ask(ask(media)).await;
        reply.problem(415, "QC-I004");
        assert_eq!(reply.header("accept"), Some("application/json"), "{media}");
    }
    world.ask(ask("x").without("content-type")).await.problem(415, "QC-I004");
    for charset in ["utf-16", "iso-8859-1", "\"utf-16le\"", "windows-1252"] {
        let media = format!("application/json; charset={charset}");
        world.ask(ask(&media)).await.problem(415, "QC-I005");
    }
    for coding in ["gzip", "br", "deflate", "zstd", "identity, gzip", "x"] {
        let reply = world.ask(ask("application/json").header("content-encoding", coding)).await;
        reply.problem(415, "QC-I005");
        assert_eq!(reply.header("accept-encoding"), Some("identity"));
    }
    // A second header field must not hide the first.
    let hidden = ask("application/json")
        .header("content-encoding", "identity")
        .header("content-encoding", "gzip");
    world.ask(hidden).await.problem(415, "QC-I005");
    let doubled = ask("application/json").header("content-type", "text/plain");
    world.ask(doubled).await.problem(415, "QC-I004");
    assert_eq!(world.runs().await, 0);
    for media in [
        "application/json",
        "APPLICATION/JSON;charset=UTF-8",
        "application/hal+json",
        "application/json; charset=\"utf-8\"; q=1",
    ] {
        world.ask(ask(media)).await.run();
    }
    world.ask(ask("application/json").header("content-encoding", "Identity")).await.run();
}

#[tokio::test]
async fn forms_lose_nothing() {
    let world = World::new().await;
    let form = |body: &[u8]| {
        Ask::post(&door("form"), body).with("content-type", "application/x-www-form-urlencoded")
    };
    let run = world.ask(form(b"text=a+b%20c&city=K%C3%B6ln&empty=&tag=1&tag=2")).await.run();
    let expected = json!({"text": "a b c", "city": "Köln", "empty": "", "tag": ["1", "2"]});
    assert_eq!(world.data(&run).await, expected);
    world.ask(form(b"a=%FF")).await.problem(400, "QC-I005");
    world.ask(form(b"a=\xff")).await.problem(400, "QC-I005");
    let many = "f=1&".repeat(1_001);
    world.ask(form(many.as_bytes())).await.problem(413, "QC-I003");
}

#[tokio::test]
async fn a_contract_names_every_place() {
    let world = World::new().await;
    let reply = world.send("contract", r#"{"lines":[1,"x",2,null]}"#).await;
    let told = reply.problem(422, "QC-I009");
    assert_eq!(told["next_action"], "fix_request");
    let mut pointers = reply.pointers();
    pointers.sort();
    assert_eq!(pointers, ["", "/lines/1", "/lines/3"]);
    world.send("contract", r#"{"id":"1","lines":[1]}"#).await.run();
}

#[tokio::test]
async fn tenants_that_cannot_be_found_are_named() {
    let world = World::new().await;
    for body in [
        "{}",
        "[]",
        "null",
        r#"{"tenant":1}"#,
        r#"{"tenant":""}"#,
        r#"{"tenant":"../x"}"#,
        r#"{"tenant":"A B"}"#,
    ] {
        world.send("tenant", body).await.problem(422, "QC-I011");
    }
    assert_eq!(world.runs().await, 0);
    world.send("tenant", r#"{"tenant":"acme"}"#).await.run();
}

#[tokio::test]
async fn a_thousand_mangled_bodies_are_taken_or_refused() {
    let world = World::new().await;
    let dice = Seeded::new(7);
    let whole = br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":[1,2,{"b":"\u00e9"}]}}"#;
    for round in 0..1_000 {
        let mut body = whole.to_vec();
        for _ in 0..=below(&dice, 4) {
            if body.is_empty() {
                break;
            }
            let at = below(&dice, body.len());
            match below(&dice, 4) {
                0 => body[at] = u8::try_from(below(&dice, 256)).unwrap(),
                1 => drop(body.remove(at)),
                2 => body.insert(at, b"{}[]\",:\\"[below(&dice, 8)]),
                _ => body.truncate(at.max(1)),
            }
        }
        let media =
            ["application/cloudevents+json", "application/cloudevents-batch+json"][round % 2];
        let ask = Ask::post(&door("events"), &body).with("content-type", media);
        let reply = world.ask(ask).await;
        let known = [202, 400, 422].contains(&reply.status);
        assert!(known, "{}: {}", reply.status, String::from_utf8_lossy(&body));
        if reply.status != 202 {
            let code = reply.json()["code"].as_str().unwrap().to_owned();
            reply.problem(reply.status, &code);
        }
    }
}
