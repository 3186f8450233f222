//! Values and rows, as bytes that say where they end.

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// No value.
    Null,
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes; ids are 16 of them.
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of its part's columns.
pub(crate) type Row = Vec<Cell>;

const NULL: u8 = 0;
const INT: u8 = 1;
const TEXT: u8 = 2;
const BYTES: u8 = 3;

impl Cell {
    /// A text for whoever reads an error.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Int(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
        }
    }
}

/// Writes a row.
pub(super) fn encode(row: &[Cell]) -> Vec<u8> {
    let mut out = Vec::with_capacity(row.len() * 16);
    for cell in row {
        match cell {
            Cell::Null => out.push(NULL),
            Cell::Int(number) => {
                out.push(INT);
                out.extend(number.to_le_bytes());
            }
            Cell::Text(text) => long(&mut out, TEXT, text.as_bytes()),
            Cell::Bytes(bytes) => long(&mut out, BYTES, bytes),
        }
    }
    out
}

fn long(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

/// Reads a row; what is wrong with it when it is none.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Row, String> {
    let mut row = Row::new();
    while let Some((tag, rest)) = bytes.split_first() {
        let short = || "a row ends in the middle of a value".to_owned();
        let (number, rest) = match *tag {
            NULL => {
                row.push(Cell::Null);
                bytes = rest;
                continue;
            }
            INT | TEXT | BYTES => rest.split_first_chunk::<8>().ok_or_else(short)?,
            other => return Err(format!("a value of the unknown kind {other}")),
        };
        if *tag == INT {
            row.push(Cell::Int(i64::from_le_bytes(*number)));
            bytes = rest;
            continue;
        }
        let length = usize::try_from(u64::from_le_bytes(*number)).map_err(|_| short())?;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        row.push(if *tag == TEXT {
            let text = std::str::from_utf8(value).map_err(|_| "a text is not UTF-8".to_owned())?;
            Cell::Text(text.to_owned())
        } else {
            Cell::Bytes(value.to_vec())
        });
        bytes = rest;
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_half_of_one_does_not() {
        let row = vec![
            Cell::Null,
            Cell::Int(i64::MIN),
            Cell::Text("a\0ä".to_owned()),
            Cell::Bytes(vec![0, 255]),
            Cell::Text(String::new()),
        ];
        let bytes = encode(&row);
        assert_eq!(decode(&bytes).unwrap(), row);
        for end in 0..bytes.len() {
            let part = decode(&bytes[..end]);
            assert!(part.is_err() || part.unwrap().len() < row.len(), "{end}");
        }
        assert!(decode(&[9]).is_err());
        let mut endless = vec![TEXT];
        endless.extend(u64::MAX.to_le_bytes());
        assert!(decode(&endless).is_err());
    }
}
