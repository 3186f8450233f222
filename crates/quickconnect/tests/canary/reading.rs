//! Everything that can be read of a server, through each of its doors.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::{
    needles::Search,
    stage::{http::Line, server::Server},
};

/// Follows, and so never ends.
const WITHOUT_END: [&str; 1] = ["/api/v1/happenings"];

/// Operations that show payloads, to those who may see them.
const PAYLOADS: [fn(&str) -> bool; 4] = [
    |path| path.ends_with("/journal"),
    |path| path.starts_with("/api/v1/tasks/"),
    |path| path.starts_with("/api/v1/events"),
    |path| path.starts_with("/api/v1/releases/"),
];
/// Verbs that do.
const PAYLOAD_VERBS: [&str; 3] = ["runs show", "tasks show", "events tail"];

/// Asks every operation that reads, by the document in which they stand, for everything that the others told of.
pub(crate) async fn through_the_api(server: &Server, search: &mut Search) {
    let document = server.ask("/api/v1/openapi.json").await;
    let bearer = [("authorization", format!("Bearer {}", server.token()))];
    let mut line = Line::to(server.port);
    let mut known = known(server).await;
    known.insert("{environment}", vec!["sandbox".to_owned()]);
    known.insert("{integration}", vec!["leaky".to_owned()]);
    let paths = document["paths"].as_object().unwrap();
    let mut asked = 0;
    for (path, operations) in paths {
        if operations.get("get").is_none() || WITHOUT_END.contains(&&**path) {
            continue;
        }
        let mut filled = vec![path.clone()];
        for (hole, values) in &known {
            if path.contains(hole) {
                let fill = |path: &String| {
                    values.iter().map(|one| path.replace(hole, one)).collect::<Vec<_>>()
                };
                filled = filled.iter().flat_map(fill).collect();
            }
        }
        for path in filled.iter().filter(|path| !path.contains('{')) {
            let all =
                if path.starts_with("/api") && !path.contains('?') { "?limit=500" } else { "" };
            let mut reply = line
                .send(Method::GET, &format!("{path}{all}"), &bearer, Bytes::new())
                .await
                .unwrap();
            if reply.status == 400 || reply.status == 422 {
                reply = line.send(Method::GET, path, &bearer, Bytes::new()).await.unwrap();
            }
            asked += usize::from(reply.status == 200);
            let place = format!("{path}: {}", reply.status);
            if PAYLOADS.iter().any(|shows| shows(path)) {
                search.look_at_payload(&place, reply.body);
            } else {
                search.look(&place, reply.body);
            }
        }
    }
    assert!(asked > paths.len() / 4, "only {asked} operations answered");
    for path in ["/metrics", "/healthz", "/readyz", "/nowhere"] {
        let reply = line.send(Method::GET, path, &bearer, Bytes::new()).await.unwrap();
        search.look(path, reply.body);
    }
}

/// What stands for the holes of paths.
async fn known(server: &Server) -> BTreeMap<&'static str, Vec<String>> {
    let mut known = BTreeMap::new();
    for (hole, list, id) in [
        ("{run}", "/api/v1/runs", "run"),
        ("{group}", "/api/v1/failures", "group"),
        ("{task}", "/api/v1/tasks", "id"),
        ("{release}", "/api/v1/releases", "release"),
        ("{name}", "/api/v1/connections", "name"),
    ] {
        let items = server.ask_all(list).await;
        let ids: Vec<String> =
            items.iter().filter_map(|one| one[id].as_str()).map(str::to_owned).collect();
        assert!(!ids.is_empty(), "{list} is empty");
        known.insert(hole, ids);
    }
    known
}

/// Runs every verb that reads, for people and for programs.
pub(crate) async fn through_the_verbs(server: &Server, search: &mut Search) {
    let all = server.ask_all("/api/v1/runs").await;
    let runs: Vec<String> = all.iter().map(|run| text(&run["run"])).collect();
    let group = server.told(&["failures", "list"])["items"][0]["group"].clone();
    let task = server.told(&["tasks", "list"])["items"][0]["id"].clone();
    let (group, task) = (text(&group), text(&task));
    let fixed: [&[&str]; 35] = [
        &["deployments"],
        &["triggers", "list"],
        &["runs", "list", "--limit", "500"],
        &["lines", "list"],
        &["schedules", "list"],
        &["events", "list"],
        &["events", "tail", "--once"],
        &["dlq", "list"],
        &["failures", "list"],
        &["failures", "show", &group],
        &["bulk", "list"],
        &["tasks", "list"],
        &["tasks", "show", &task],
        &["ask", "failures"],
        &["reconcile"],
        &["audit", "list", "--limit", "1000"],
        &["audit", "checkpoint"],
        &["tokens", "list"],
        &["access", "clients", "list"],
        &["access", "keys", "list"],
        &["access", "matrix", "mine"],
        &["grants", "list"],
        &["debug", "capture", "list"],
        &["secrets", "drops"],
        &["conn", "list"],
        &["conn", "show", "sandbox", "accounts"],
        &["conn", "test", "sandbox", "accounts"],
        &["secrets", "list"],
        &["vault", "status"],
        &["doctor"],
        &["config", "explain"],
        &["check", "mine"],
        &["release", "list"],
        &["release", "build", "leaky", "--folder", "mine", "--dry-run"],
        &["export", "out", "--environment", "sandbox"],
    ];
    let shows = runs.iter().map(|run| vec!["runs", "show", run.as_str()]);
    for words in fixed.iter().map(|words| words.to_vec()).chain(shows) {
        for form in [&[][..], &["--json"]] {
            let output = server.qc(&[&words, form].concat());
            let place = format!("qc {}", words.join(" "));
            let said = [output.stdout, output.stderr].concat();
            if PAYLOAD_VERBS.contains(&&*words[..2.min(words.len())].join(" ")) {
                search.look_at_payload(&place, said);
            } else {
                search.look(&place, said);
            }
        }
    }
}

/// What may be sent to somebody else has nothing personal in it either.
pub(crate) fn bundle(server: &Server, search: &mut Search) {
    let log = server.log_file();
    server.well(&["support", "bundle", "--to", "bundle.json", "--log", log.to_str().unwrap()]);
    let text = std::fs::read_to_string(server.folder.join("bundle.json")).unwrap();
    let bundle: Value = serde_json::from_str(&text).unwrap();
    for part in ["version", "settings", "checks", "server", "failures", "metrics", "log"] {
        let told = &bundle[part];
        assert!(!told.is_null() && told["trouble"].is_null(), "{part}: {told}");
    }
    search.look("a support bundle", text);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

/// What verbs write into files.
pub(crate) fn exports(server: &Server) -> Vec<(String, Vec<u8>)> {
    server.well(&["backup", "--to", "a.qcbackup"]);
    let packed = std::fs::read(server.folder.join("a.qcbackup")).unwrap();
    vec![("a backup".to_owned(), packed)]
}
