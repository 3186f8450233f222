//! Sizes and rates as people write them.

use std::time::Duration;

use qc_document::{Node, Reader};
use serde_json::{Value, json};

use super::{Definitions, Shape, scalar::parse};

/// A size in bytes, written `64KiB`, `1MiB` or `512B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub usize);

/// So many in a span of time, written `50/s`, `600/min` or `10/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In which time.
    pub per: Duration,
}

impl Rate {
    /// How many a second.
    pub fn per_second(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate is far below 2^52")]
        let count = self.count as f64;
        count / self.per.as_secs_f64()
    }
}

fn byte_size(text: &str) -> Result<ByteSize, &'static str> {
    let form = "not a size; write `512B`, `64KiB` or `1MiB`";
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or(form)?;
    let (digits, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err(form),
    };
    let size = digits.parse::<usize>().ok().and_then(|n| n.checked_mul(factor)).ok_or(form)?;
    if (1..=64 << 20).contains(&size) {
        Ok(ByteSize(size))
    } else {
        Err("a size is from 1B to 64MiB")
    }
}

fn rate(text: &str) -> Result<Rate, &'static str> {
    let form = "not a rate; write `50/s`, `600/min`, `10/h` or `100/d`";
    let (count, unit) = text.split_once('/').ok_or(form)?;
    let count = count.trim().parse::<u64>().map_err(|_| form)?;
    let per = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(form),
    };
    if count == 0 {
        Err("a rate is at least 1")
    } else {
        Ok(Rate { count, per: Duration::from_secs(per) })
    }
}

impl Shape for ByteSize {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, byte_size)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^[0-9]+ ?(B|KiB|MiB)$", "examples": ["64KiB"] })
    }
}

impl Shape for Rate {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, rate)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^[0-9]+/(s|min|h|d)$", "examples": ["50/s"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates_are_read() {
        assert_eq!(byte_size("64KiB"), Ok(ByteSize(65536)));
        assert_eq!(byte_size("1MiB"), Ok(ByteSize(1 << 20)));
        for bad in ["", "64", "64KB", "0B", "65MiB", "-1B", "99999999999999999999MiB"] {
            assert!(byte_size(bad).is_err(), "{bad}");
        }
        assert_eq!(rate("600/min"), Ok(Rate { count: 600, per: Duration::from_secs(60) }));
        assert!((rate("600/min").unwrap().per_second() - 10.0).abs() < 1e-9);
        for bad in ["", "5", "0/s", "5/y", "x/s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_where_a_rate_belongs_hears_how_rates_are_written() {
        let source = qc_document::Source::new("integration.yaml", "5");
        let document = qc_document::parse_yaml(source, &qc_document::ParseLimits::default());
        let document = document.unwrap();
        let reader = Reader::new(&document.source);
        assert_eq!(Rate::read(&document.root, "`rate`", &reader), None);
        let findings = reader.finish();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].message.contains("write `50/s`"), "{findings:?}");
    }
}
