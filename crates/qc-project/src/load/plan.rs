//! When what is sent.

use std::time::Duration;

use serde::Serialize;

use super::LoadProfile;

/// How a profile is driven.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pace {
    /// How long the average and the peak are held, in seconds. A peak that is declared to be shorter is held as long as
    /// it is.
    pub seconds: u64,
    /// So many times as fast as declared.
    pub speed: f64,
}

/// A part of a load test.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Which.
    pub kind: PhaseKind,
    /// How long it lasts.
    pub length: Duration,
    /// What is sent, in order.
    pub sends: Vec<Send>,
}

/// The parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// The usual rate.
    Average,
    /// The rate of the busiest time, with a year's growth.
    Peak,
    /// All at once.
    Burst,
}

impl PhaseKind {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Peak => "peak",
            Self::Burst => "burst",
        }
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send {
    /// When, after the phase began.
    pub at: Duration,
    /// Where to: which of the profile's sources.
    pub source: usize,
}

/// The moments of a profile: each source's events evenly apart, at least one of each.
pub fn plan(profile: &LoadProfile, pace: Pace) -> Vec<Phase> {
    let growth = 1.0 + f64::from(profile.growth_percent) / 100.0;
    let held = Duration::from_secs(pace.seconds);
    let peak_lasts = profile.sources.iter().map(|source| source.peak_lasts_ms);
    let peak_lasts =
        peak_lasts.max().flatten().map_or(held, |ms| held.min(Duration::from_millis(ms)));
    let rates = |of: fn(&super::Source) -> f64, factor: f64| -> Vec<f64> {
        profile.sources.iter().map(|source| of(source) * factor * pace.speed).collect()
    };
    let mut phases = vec![
        steady(PhaseKind::Average, held, &rates(|source| source.average, 1.0)),
        steady(PhaseKind::Peak, peak_lasts, &rates(|source| source.peak, growth)),
    ];
    if let Some(count) = profile.burst {
        let weights = rates(|source| source.average, 1.0);
        let sends = parts(count, &weights).into_iter().enumerate();
        let sends = sends.flat_map(|(source, count)| {
            std::iter::repeat_n(Send { at: Duration::ZERO, source }, count)
        });
        let sends = sends.collect();
        phases.push(Phase { kind: PhaseKind::Burst, length: Duration::ZERO, sends });
    }
    phases
}

fn steady(kind: PhaseKind, length: Duration, rates: &[f64]) -> Phase {
    let mut sends = Vec::new();
    for (source, rate) in rates.iter().enumerate() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is at most 10^9 in a second, and not negative"
        )]
        let count = ((rate * length.as_secs_f64()).round() as u32).max(1);
        let apart = length / count;
        // They do not all begin at the same moment.
        let first = apart / u32::try_from(source + 2).unwrap_or(u32::MAX);
        sends.extend((0..count).map(|nth| Send { at: first + apart * nth, source }));
    }
    sends.sort_by_key(|send| send.at);
    Phase { kind, length, sends }
}

/// Cuts a number into parts by weight; what is left goes to the first ones.
fn parts(count: u64, weights: &[f64]) -> Vec<usize> {
    let all: f64 = weights.iter().sum();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a burst is at most a million"
    )]
    let mut parts: Vec<usize> = weights
        .iter()
        .map(|weight| if all > 0.0 { (count as f64 * weight / all) as usize } else { 0 })
        .collect();
    let left = count.saturating_sub(parts.iter().sum());
    let places = parts.len().max(1);
    for nth in 0..left {
        parts[nth % places] += 1;
    }
    parts
}
