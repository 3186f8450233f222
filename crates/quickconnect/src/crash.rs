//! What is told when the program itself fails: where, in which thread, of which version; never with which values.
//!
//! The text of a panic is made of whatever the code had in its hands, an event's data or a secret among it. Only a text
//! that stands as it is in the program is told.

use std::{fmt::Write as _, io::Write as _, panic::PanicHookInfo, thread};

use qc_model::Code;

/// How much of a path outside of our own code is told: the crate with its version, and the file in it.
const PARTS: usize = 4;

/// What is told of a panic.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    place: String,
    thread: String,
    said: Option<&'static str>,
}

/// Has every panic from now on told with this code, in the log or, where there is none, on standard error.
pub(crate) fn report_panics(code: Code) {
    std::panic::set_hook(Box::new(move |panic| tell(&Crash::of(panic), &code)));
}

impl Crash {
    fn of(panic: &PanicHookInfo<'_>) -> Self {
        let place = panic.location().map_or_else(
            || "an unknown place".to_owned(),
            |at| format!("{}:{}:{}", file(at.file()), at.line(), at.column()),
        );
        let thread = thread::current().name().unwrap_or("without a name").to_owned();
        // A text with values in it is a `String`.
        let said = panic.payload().downcast_ref::<&'static str>().copied();
        Self { place, thread, said }
    }

    fn text(&self, code: &Code) -> String {
        let mut text = format!(
            "error[{code}]: the program failed at {} (thread {}, version {})",
            self.place,
            self.thread,
            env!("CARGO_PKG_VERSION")
        );
        if let Some(said) = self.said {
            write!(text, ": {said}").expect("writing into a String does not fail");
        }
        text
    }
}

fn tell(crash: &Crash, code: &Code) {
    let Crash { place, thread, said } = crash;
    if tracing::dispatcher::has_been_set() {
        let said = said.unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        tracing::error!(target: "crash", %code, %place, %thread, version, said, "the program failed");
        return;
    }
    // Nobody can be told that nobody can be told.
    drop(writeln!(std::io::stderr().lock(), "{}", crash.text(code)));
}

/// A path of our own as it is; of others only its end: where it lies on the machine that built it says nothing.
fn file(path: &str) -> String {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    if parts.first().is_some_and(|first| *first == "crates") {
        return path.to_owned();
    }
    parts[parts.len().saturating_sub(PARTS)..].join("/")
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{self, AssertUnwindSafe},
        sync::{Arc, Mutex},
    };

    use super::*;

    const PLANTED: &str = "cnry-in-a-panic";

    fn refused(value: &str) -> Result<(), String> {
        if value.is_empty() { Ok(()) } else { Err(value.to_owned()) }
    }

    #[test]
    fn a_report_tells_where_and_never_with_which_values() {
        let told: Arc<Mutex<Vec<Crash>>> = Arc::default();
        let (taking, before) = (Arc::clone(&told), panic::take_hook());
        panic::set_hook(Box::new(move |panic| taking.lock().unwrap().push(Crash::of(panic))));
        let value = PLANTED.to_owned();
        let deeds: [(&str, &dyn Fn()); 6] = [
            ("formatted", &|| panic!("it was {value}")),
            ("unwrapped", &|| refused(&value).unwrap()),
            ("expected", &|| refused(&value).expect("no value")),
            ("compared", &|| assert_eq!(value, "another")),
            ("of its own", &|| panic::panic_any(value.clone())),
            ("static", &|| panic!("as it stands here")),
        ];
        for (what, deed) in deeds {
            assert!(panic::catch_unwind(AssertUnwindSafe(deed)).is_err(), "{what}");
        }
        let elsewhere = panic::catch_unwind(|| "0".repeat(3).split_at(7).0.len());
        panic::set_hook(before);
        assert!(elsewhere.is_err());
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 7);
        for crash in &*told {
            let text = crash.text(&crate::codes::CRASHED);
            assert!(!text.contains(PLANTED), "{text}");
            assert!(text.contains(".rs:") && text.contains("thread"), "{text}");
        }
        let (ours, library) = told.split_at(6);
        assert!(
            ours.iter().all(|crash| crash.place.starts_with("crates/quickconnect/src/crash.rs:"))
        );
        assert!(library[0].place.starts_with("core/src/str/"), "{:?}", library[0]);
        let said: Vec<Option<&str>> = told.iter().map(|crash| crash.said).collect();
        assert_eq!(said[..6], [None, None, None, None, None, Some("as it stands here")]);
    }

    #[test]
    fn of_paths_elsewhere_only_the_end_is_told() {
        assert_eq!(file("crates/qc-engine/src/drive.rs"), "crates/qc-engine/src/drive.rs");
        assert_eq!(
            file("/home/somebody/.cargo/registry/src/index-1/tokio-1.2.3/src/time/sleep.rs"),
            "tokio-1.2.3/src/time/sleep.rs"
        );
    }
}
