use serde_json::{Value, json};

use super::{CoverOptions, Covers, Draft, covers};

fn asked(sup: &Value, sub: &Value) -> Covers {
    covers(sup, sub, CoverOptions::default())
}
