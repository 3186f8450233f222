//! Text of a format, or just text.

const WORDS: [&str; 16] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "jade",
    "lagoon", "meadow", "north", "orchid", "pine", "quartz",
];

/// Text of a well-known format; `None` for others.
pub(super) fn of_format(format: &str, seed: u64) -> Option<String> {
    let word = WORDS[usize::try_from(seed % 16).unwrap_or(0)];
    let small = seed / 16 % 28 + 1;
    let made = match format {
        "date-time" => format!("2026-01-{small:02}T0{}:30:00Z", small % 10),
        "date" => format!("2026-01-{small:02}"),
        "time" => format!("0{}:30:00Z", small % 10),
        "duration" => format!("PT{small}M"),
        "email" | "idn-email" => format!("{word}@example.com"),
        "hostname" | "idn-hostname" => format!("{word}.example.com"),
        "ipv4" => format!("192.0.2.{small}"),
        "ipv6" => format!("2001:db8::{small:x}"),
        "uri" | "url" | "iri" => format!("https://example.com/{word}/{small}"),
        "uri-reference" | "iri-reference" | "json-pointer" => format!("/{word}/{small}"),
        "uri-template" => format!("https://example.com/{word}/{{id}}"),
        "uuid" => uuid(seed),
        "relative-json-pointer" => format!("{small}/{word}"),
        "regex" => format!("^{word}$"),
        "byte" => "cXVhcnR6".to_owned(),
        _ => return None,
    };
    Some(made)
}

fn uuid(seed: u64) -> String {
    let other = seed.wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ (seed >> 7);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        seed >> 32,
        seed >> 16 & 0xFFFF,
        seed & 0xFFF,
        other >> 52,
        other & 0xFFFF_FFFF_FFFF
    )
}

/// Readable text of a length within bounds (in characters).
pub(super) fn words(seed: u64, least: usize, most: usize) -> String {
    let mut made = String::new();
    let mut state = seed;
    loop {
        made.push_str(WORDS[usize::try_from(state % 16).unwrap_or(0)]);
        if made.len() >= least.max(1) {
            break;
        }
        state = (state / 16) ^ seed.rotate_left(u32::try_from(made.len() % 64).unwrap_or(0));
        made.push(' ');
    }
    made.truncate(most.max(least));
    // Cut text may end in a space, which some formats refuse.
    if made.ends_with(' ') {
        made.pop();
        made.push('s');
    }
    made
}
