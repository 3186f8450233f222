use qc_simulation::Planted;

/// How it is called.
pub(crate) const USAGE: &str =
    "cargo xtask simulate --seeds N [--first-seed S] [--seconds LIMIT] [--planted BUG]";

/// What is to be simulated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) seeds: u64,
    pub(crate) first: u64,
    /// No further seed is begun after so long.
    pub(crate) seconds: Option<u64>,
    pub(crate) planted: Option<Planted>,
}

impl Arguments {
    pub(crate) fn parse(given: &[&str]) -> Result<Self, String> {
        let (mut seeds, mut first, mut seconds, mut planted) = (None, 0, None, None);
        let mut rest = given.iter();
        while let Some(flag) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("`{flag}` needs a value"))?;
            let number = || {
                value.parse::<u64>().map_err(|_| format!("`{flag}` needs a number, not `{value}`"))
            };
            match *flag {
                "--seeds" => seeds = Some(number()?),
                "--first-seed" => first = number()?,
                "--seconds" => seconds = Some(number()?),
                "--planted" => {
                    planted = Some(Planted::named(value).ok_or_else(|| unknown_bug(value))?);
                }
                other => return Err(format!("`{other}` is not known")),
            }
        }
        let seeds = seeds.ok_or("`--seeds` says how many")?;
        Ok(Self { seeds, first, seconds, planted })
    }

    /// The command that tells one seed again.
    pub(crate) fn again(&self, seed: u64) -> String {
        let Some(bug) = self.planted else {
            return format!("cargo xtask simulate --seeds 1 --first-seed {seed}");
        };
        format!(
            "cargo run -p xtask --features planted-bugs -- simulate --seeds 1 --first-seed {seed} \
             --planted {}",
            bug.name()
        )
    }
}

fn unknown_bug(name: &str) -> String {
    let all: Vec<String> = Planted::all().into_iter().map(Planted::name).collect();
    format!(
        "there is no bug `{name}` in this build (there are more with `--features planted-bugs`): {}",
        all.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_and_wrong_ones_are_told() {
        let read = Arguments::parse(&["--seeds", "7", "--first-seed", "3", "--seconds", "9"]);
        let wanted = Arguments { seeds: 7, first: 3, seconds: Some(9), planted: None };
        assert_eq!(read, Ok(wanted));
        for (given, problem) in [
            (&[][..], "--seeds"),
            (&["--seeds"], "needs a value"),
            (&["--seeds", "many"], "needs a number, not `many`"),
            (&["--seeds", "1", "--sedes", "1"], "`--sedes` is not known"),
            (&["--seeds", "1", "--planted", "Flu"], "no bug `Flu`"),
        ] {
            let told = Arguments::parse(given).unwrap_err();
            assert!(told.contains(problem), "{told}");
        }
    }

    #[test]
    fn one_seed_is_told_again_as_it_was() {
        let arguments = Arguments::parse(&["--seeds", "9", "--planted", "MissingFence"]).unwrap();
        assert!(arguments.again(4).ends_with("--first-seed 4 --planted MissingFence"));
    }
}
