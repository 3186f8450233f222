//! How files are stored: one byte that says how, then the bytes, compressed when that makes them smaller.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

const PLAIN: u8 = 0;
const DEFLATED: u8 = 1;

pub(crate) fn pack(bytes: &[u8]) -> Bytes {
    let mut encoder = DeflateEncoder::new(vec![DEFLATED], Compression::default());
    encoder.write_all(bytes).expect("a Vec takes all bytes");
    let packed = encoder.finish().expect("a Vec takes all bytes");
    if packed.len() <= bytes.len() {
        return packed.into();
    }
    let mut plain = Vec::with_capacity(bytes.len() + 1);
    plain.push(PLAIN);
    plain.extend_from_slice(bytes);
    plain.into()
}

/// None when it is damaged. `size` bounds what a damaged blob could expand to.
pub(crate) fn unpack(stored: &[u8], size: u64) -> Option<Bytes> {
    let (&how, rest) = stored.split_first()?;
    let bytes = match how {
        PLAIN => rest.to_vec(),
        DEFLATED => {
            let mut bytes = Vec::new();
            DeflateDecoder::new(rest).take(size.saturating_add(1)).read_to_end(&mut bytes).ok()?;
            bytes
        }
        _ => return None,
    };
    (bytes.len() as u64 == size).then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_packed_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let packed = pack(&bytes);
            prop_assert!(packed.len() <= bytes.len() + 1);
            prop_assert_eq!(&unpack(&packed, bytes.len() as u64).unwrap()[..], &bytes[..]);
            prop_assert_eq!(unpack(&packed, bytes.len() as u64 + 1), None);
        }

        #[test]
        fn damage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 0u64..1000) {
            let _ = unpack(&bytes, size);
        }
    }

    #[test]
    fn text_becomes_smaller() {
        let text = "operationId: getThing\n".repeat(1000);
        assert!(pack(text.as_bytes()).len() < text.len() / 10);
        assert_eq!(unpack(&pack(text.as_bytes()), 10), None, "never expands past what is expected");
    }
}
