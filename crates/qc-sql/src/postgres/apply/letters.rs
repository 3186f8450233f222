use qc_model::RunId;
use qc_store::{DeadLetter, DeadState};

use super::{Desk, Place};

/// Puts a letter, replacing an earlier one of the same run.
pub(super) fn put_letter<'a>(desk: &mut Desk<'a>, letter: &'a DeadLetter) {
    let place = Place::of_letter(letter);
    let before = desk.known.letters.insert(letter.run, (place.clone(), letter.state));
    if let Some((place, DeadState::Open)) = before {
        desk.deeds.counted(place).dead_settled += 1;
    }
    if letter.state == DeadState::Open {
        desk.deeds.counted(place).dead_made += 1;
    }
    desk.deeds.put_letter(letter);
}

/// Says what was done about a run's letter, when it has one.
pub(super) fn settle_letter(desk: &mut Desk<'_>, run: RunId, state: DeadState) {
    let Some((place, stands)) = desk.known.letters.get_mut(&run) else { return };
    let before = std::mem::replace(stands, state);
    match (before == DeadState::Open, state == DeadState::Open) {
        (true, false) => desk.deeds.counted(place.clone()).dead_settled += 1,
        (false, true) => desk.deeds.counted(place.clone()).dead_made += 1,
        _ => {}
    }
    desk.deeds.settle_letter(run, state);
}
