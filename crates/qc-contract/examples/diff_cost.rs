//! What comparing two descriptions costs: `diff_cost OLD NEW [REPORT [DAY]]`, files of JSON or YAML, plain or gzipped.
//! The report is written as JSON, so that what two builds find can be held against one another; sunsets are held
//! against the day.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Instant;

use qc_contract::{Day, Level, OpenApi, Options, Profile, ReportFormat, compare};

fn text(path: &str) -> String {
    let bytes = std::fs::read(path).expect("the file is there");
    let mut text = String::new();
    if std::path::Path::new(path).extension().is_some_and(|extension| extension == "gz") {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip of text");
    } else {
        text = String::from_utf8(bytes).expect("is text");
    }
    text
}

fn load(path: &str) -> OpenApi {
    let name = path.trim_end_matches(".gz").rsplit('/').next().unwrap_or_default().to_owned();
    let files = BTreeMap::from([(name.clone(), text(path))]);
    let (api, findings) = OpenApi::load(&files, &name);
    api.unwrap_or_else(|| panic!("{findings:?}"))
}

/// The most memory that the process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kib = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let (old, new, report, day) = match &given[..] {
        [old, new] => (old, new, None, None),
        [old, new, report] => (old, new, Some(report), None),
        [old, new, report, day] => (old, new, Some(report), Day::parse(day)),
        _ => {
            eprintln!("usage: diff_cost OLD NEW [REPORT [DAY]]");
            std::process::exit(2);
        }
    };
    let began = Instant::now();
    let (old, new) = (load(old), load(new));
    let loaded = began.elapsed();
    let began = Instant::now();
    let profile = Profile::default();
    let comparison = compare(&old, &new, Options { profile: &profile, today: day });
    let took = began.elapsed();
    let counts: Vec<String> = Level::ALL
        .iter()
        .rev()
        .map(|level| {
            let of = comparison.changes.iter().filter(|change| change.level == *level);
            format!("{} {level}", of.count())
        })
        .collect();
    println!("loaded in {:.2} s, compared in {:.2} s", loaded.as_secs_f64(), took.as_secs_f64());
    println!("{}: {}", comparison.verdict, counts.join(", "));
    println!("cut short: {}; most memory: {} MiB", comparison.is_cut_short, peak());
    if let Some(report) = report {
        std::fs::write(report, comparison.report(ReportFormat::Json)).expect("is written");
    }
}
