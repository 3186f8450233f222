use std::process::ExitCode;

/// How the program ends, for scripts. Documented in `docs/cli.md`; a number never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok,
    /// A fault of the program itself, or something unforeseen.
    Internal,
    /// The command line or a setting is wrong.
    Usage,
    /// What was asked for is not there.
    NotFound,
    /// Not authenticated, or not permitted.
    Auth,
    /// It contradicts the present state.
    Conflict,
    /// The server does not answer, or not in time.
    Unreachable,
    /// Too many requests.
    Throttled,
    /// There are findings: a check, test or question answered no.
    Findings,
    /// Ended by the user.
    Interrupted,
}

impl Exit {
    /// All, for the documentation.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::Ok,
        Self::Internal,
        Self::Usage,
        Self::NotFound,
        Self::Auth,
        Self::Conflict,
        Self::Unreachable,
        Self::Throttled,
        Self::Findings,
        Self::Interrupted,
    ];

    /// The number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Auth => 4,
            Self::Conflict => 5,
            Self::Unreachable => 6,
            Self::Throttled => 7,
            Self::Findings => 100,
            Self::Interrupted => 130,
        }
    }

    /// How an answer of the server ends the program.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            200..=399 => Self::Ok,
            401 | 403 => Self::Auth,
            404 | 410 => Self::NotFound,
            408 | 502..=504 => Self::Unreachable,
            409 | 412 => Self::Conflict,
            422 => Self::Findings,
            429 => Self::Throttled,
            400..=499 => Self::Usage,
            _ => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_are_documented() {
        let numbers: Vec<u8> = Exit::ALL.iter().map(|exit| exit.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 100, 130]);
        assert_eq!(Exit::of_status(503), Exit::Unreachable);
        assert_eq!(Exit::of_status(202), Exit::Ok);
    }
}
