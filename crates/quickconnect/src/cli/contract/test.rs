use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use qc_connect::call::{HttpCaller, HttpSettings};
use qc_contract::{OpenApi, Schema};
use qc_document::{ParseLimits, Source, parse};
use qc_model::{Caller, Finding, Severity};
use qc_simulator::{SimulatorSpec, load_folder};
use qc_verify::{
    CASE_LIMIT, Credentials, Delivery, Format, MUTANT_LIMIT, Outcome, PactFile, Replay, Report,
    Target, Verification, measure, simulated, written,
};
use serde_json::Value;

use super::super::{Exit, Trouble, session::Session};
use super::sources::Version;
use crate::{codes, wiring::SystemClock};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The provider's OpenAPI description: a file, git:REVISION:PATH, or a connector's folder
    description: Option<String>,
    /// Where the provider listens, on this machine
    #[arg(long, value_name = "ADDRESS", conflicts_with = "simulator")]
    provider: Option<String>,
    /// Test a simulator of the description instead, in this process
    #[arg(long)]
    simulator: bool,
    /// What consumers expect: Pact files
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pact: Vec<PathBuf>,
    /// Who is told of the states of Pact files
    #[arg(long, value_name = "ADDRESS", requires = "pact")]
    states_url: Option<String>,
    /// Who is asked for the messages of Pact files
    #[arg(long, value_name = "ADDRESS", requires = "pact")]
    messages_url: Option<String>,
    /// The address at which a consumer takes payloads
    #[arg(long, value_name = "ADDRESS", requires = "schema")]
    consumer: Option<String>,
    /// The JSON Schema under which the consumer reads
    #[arg(long, value_name = "FILE", requires = "consumer")]
    schema: Option<String>,
    /// Its next version, which the consumer must take as well
    #[arg(long, value_name = "FILE", requires = "schema")]
    next_schema: Option<String>,
    /// An origin elsewhere that is only for tests, such as https://sandbox.example.com
    #[arg(long, value_name = "ORIGIN")]
    test_endpoint: Vec<String>,
    /// With what requests prove who sends them: a YAML file that names variables
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// A value for a path parameter, by its name or by OPERATION.NAME
    #[arg(long, value_name = "NAME=VALUE", value_parser = value)]
    value: Vec<(String, String)>,
    /// Only these operations
    #[arg(long, value_name = "ID")]
    operation: Vec<String>,
    /// What generated values grow from: the same seed, the same cases
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Most requests a second
    #[arg(long, value_name = "COUNT", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Most cases
    #[arg(long, value_name = "COUNT", default_value_t = CASE_LIMIT)]
    max_cases: usize,
    /// Refusals may have statuses that are not described
    #[arg(long)]
    lenient: bool,
    /// What remains undecided fails, too
    #[arg(long)]
    strict: bool,
    /// Say how strong the cases are: how many of the ways to break the contract are noticed
    #[arg(long)]
    score: bool,
    /// The least score that passes, of a hundred
    #[arg(long, value_name = "PERCENT", requires = "score", value_parser = clap::value_parser!(u64).range(0..=100))]
    min_score: Option<u64>,
    /// How the result is written: human, json or junit
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

fn value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write `NAME=VALUE`")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let usual = if session.output.json { "json" } else { "human" };
    let name = arguments.format.as_deref().unwrap_or(usual);
    let format = Format::parse(name).ok_or_else(|| {
        let help = format!("it is one of {}", Format::NAMES.join(", "));
        usage(format!("there is no format `{name}`"), &help)
    })?;
    let reports = reports(session, &arguments).await?;
    session.output.line(written(&reports, format).trim_end());
    Ok(arguments.end(session, &reports))
}

async fn reports(session: &Session, arguments: &Arguments) -> Result<Vec<Report>, Trouble> {
    if arguments.score && !arguments.simulator {
        let help = "measure with --simulator: a real provider is not broken on purpose";
        return Err(usage("only a simulator can be broken for a score".to_owned(), help));
    }
    let mut reports = Vec::new();
    let provider = Provider::chosen(session, arguments)?;
    if let Some((api, provider)) = provider.as_ref().and_then(|it| Some((it.api.as_ref()?, it))) {
        reports.push(verified(arguments, api, provider).await?);
    }
    if !arguments.pact.is_empty() {
        let help = "say where it listens with --provider, or take --simulator";
        let message = "Pact files are replayed against a provider".to_owned();
        let provider = provider.as_ref().ok_or_else(|| usage(message, help))?;
        reports.push(pacts(arguments, provider).await?);
    }
    if let (Some(consumer), Some(schema)) = (&arguments.consumer, &arguments.schema) {
        reports.push(delivered(arguments, consumer, schema).await?);
    }
    if reports.is_empty() {
        let help = "give a description with --provider or --simulator, --pact with --provider, or --consumer with --schema";
        return Err(usage("nothing is to be tested".to_owned(), help));
    }
    Ok(reports)
}

fn usage(message: String, help: &str) -> Trouble {
    Trouble::usage(codes::BAD_SETTING, message, help)
}

/// Who is tested, and how it is reached.
struct Provider {
    /// Its description, when that is given.
    api: Option<Arc<OpenApi>>,
    target: Target,
    caller: Arc<dyn Caller>,
    credentials: Credentials,
}

impl Provider {
    /// None: nothing says who is tested.
    fn chosen(session: &Session, arguments: &Arguments) -> Result<Option<Self>, Trouble> {
        let described = arguments.description.as_ref();
        let described = described.map(|it| loaded(session, it)).transpose()?;
        if let Some(address) = &arguments.provider {
            return Ok(Some(Self {
                api: described.map(|(api, _)| Arc::new(api)),
                target: arguments.target(address)?,
                caller: http()?,
                credentials: arguments.credentials(session)?,
            }));
        }
        let (Some((api, spec)), Some(description)) = (described, &arguments.description) else {
            return Ok(None);
        };
        if !arguments.simulator {
            let help = "say where it listens with --provider, or take --simulator";
            return Err(usage("a description alone is not tested".to_owned(), help));
        }
        let (again, _) = loaded(session, description)?;
        let caller = simulated(again, spec, Arc::new(SystemClock), arguments.seed)
            .map_err(Trouble::findings)?;
        let target = Target::simulated()
            .ok_or_else(|| usage("there is no simulator".to_owned(), "test a provider"))?;
        let credentials = Credentials::made();
        Ok(Some(Self { api: Some(Arc::new(api)), target, caller, credentials }))
    }
}

/// A provider against its description.
async fn verified(
    arguments: &Arguments,
    api: &Arc<OpenApi>,
    provider: &Provider,
) -> Result<Report, Trouble> {
    for id in &arguments.operation {
        if api.operation(id).is_none() {
            let help = match api.closest_operation(id) {
                Some(closest) => format!("did you mean `{closest}`?"),
                None => "the ids are those of the description".to_owned(),
            };
            let message = format!("the description has no operation `{id}`");
            return Err(Trouble::not_found(codes::NOTHING_CHOSEN, message, help));
        }
    }
    let values: BTreeMap<String, Value> = arguments
        .value
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let verification = Verification {
        api,
        target: provider.target.clone(),
        caller: Arc::clone(&provider.caller),
        credentials: &provider.credentials,
        values: &values,
        operations: &arguments.operation,
        seed: arguments.seed,
        rate: arguments.provider.is_some().then_some(arguments.rate),
        case_limit: arguments.max_cases,
        is_lenient: arguments.lenient,
    };
    let mut report = verification.run().await;
    if arguments.score {
        report.score = Some(measure(&verification, MUTANT_LIMIT).await);
    }
    Ok(report)
}

async fn pacts(arguments: &Arguments, provider: &Provider) -> Result<Report, Trouble> {
    let mut files = Vec::new();
    for path in &arguments.pact {
        let text = fs::read_to_string(path).map_err(|error| Trouble::file(path, &error))?;
        let read = PactFile::read(&path.display().to_string(), &text);
        files.push(read.map_err(Trouble::findings)?);
    }
    let other = |address: &Option<String>| {
        address.as_deref().map(|address| arguments.target(address)).transpose()
    };
    let replay = Replay {
        files: &files,
        target: provider.target.clone(),
        states: other(&arguments.states_url)?,
        messages: other(&arguments.messages_url)?,
        caller: Arc::clone(&provider.caller),
        credentials: &provider.credentials,
        api: provider.api.as_deref(),
        rate: arguments.provider.is_some().then_some(arguments.rate),
    };
    Ok(replay.run().await)
}

async fn delivered(arguments: &Arguments, consumer: &str, schema: &str) -> Result<Report, Trouble> {
    let read = |name: &str| {
        let version = Version::named(name);
        Schema::load(&*version.files, &version.entry).map_err(Trouble::findings)
    };
    let contract = read(schema)?;
    let next = arguments.next_schema.as_deref().map(|name| Ok((name, read(name)?))).transpose()?;
    let delivery = Delivery {
        target: arguments.target(consumer)?,
        caller: http()?,
        contract: (schema, &contract),
        next: next.as_ref().map(|(name, schema)| (*name, schema)),
        seed: arguments.seed,
        rate: Some(arguments.rate),
    };
    Ok(delivery.run().await)
}

/// The description, and what its simulator's file says where it is a connector's folder.
fn loaded(session: &Session, description: &str) -> Result<(OpenApi, SimulatorSpec), Trouble> {
    if Path::new(description).is_dir() {
        return load_folder(Path::new(description)).map_err(Trouble::findings);
    }
    let version = Version::named(description);
    let (api, findings) = OpenApi::load(&*version.files, &version.entry);
    let (errors, others): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Error);
    match api {
        Some(api) if errors.is_empty() => {
            let warnings = others.iter().filter(|f| f.severity == Severity::Warning);
            warnings.for_each(|warning| session.output.say(&session.output.finding(warning)));
            Ok((api, SimulatorSpec::default()))
        }
        _ => {
            let is_missing = errors.iter().any(|finding| finding.code.as_str() == "QC-C001");
            let mut trouble = Trouble::findings(errors);
            if is_missing {
                trouble.exit = Exit::NotFound;
            }
            Err(trouble)
        }
    }
}

fn http() -> Result<Arc<dyn Caller>, Trouble> {
    let caller = HttpCaller::new(&HttpSettings::default())
        .map_err(|finding| Trouble::new(Exit::Internal, *finding))?;
    Ok(Arc::new(caller))
}

impl Arguments {
    /// An address that may be tested.
    fn target(&self, address: &str) -> Result<Target, Trouble> {
        Target::new(address, &self.test_endpoint)
            .map_err(|finding| Trouble::new(Exit::Usage, *finding))
    }

    fn credentials(&self, session: &Session) -> Result<Credentials, Trouble> {
        let Some(path) = &self.credentials else { return Ok(Credentials::default()) };
        let text = fs::read_to_string(path).map_err(|error| Trouble::file(path, &error))?;
        let source = Source::new(path.display().to_string(), text);
        let document =
            parse(source, &ParseLimits::default()).map_err(|f| Trouble::findings(vec![*f]))?;
        Credentials::read(&document, &session.variables).map_err(Trouble::findings)
    }

    /// How the reports end the program.
    fn end(&self, session: &Session, reports: &[Report]) -> Exit {
        let count = |outcome| reports.iter().map(|report| report.count(outcome)).sum::<usize>();
        for report in reports {
            let all = &report.results;
            if !all.is_empty() && all.iter().all(|result| result.exchange.status.is_none()) {
                session.output.say(&format!("{} does not answer", report.target));
                return Exit::Unreachable;
            }
        }
        for report in reports {
            let is_empty = report.results.is_empty() && !report.not_tried.is_empty();
            if report.shows_nothing() || is_empty {
                session.output.say(&format!(
                    "nothing is shown about {}: see what was undecided or not tried",
                    report.target
                ));
                return Exit::Findings;
            }
        }
        let score = reports.iter().find_map(|report| report.score.as_ref());
        if let (Some(least), Some(score)) = (self.min_score, score)
            && (score.percent() as u64) < least
        {
            let percent = score.percent();
            session.output.say(&format!("the mutation score is {percent} %, below {least} %"));
            return Exit::Findings;
        }
        let is_failed = count(Outcome::Failed) > 0 || self.strict && count(Outcome::Undecided) > 0;
        if is_failed { Exit::Findings } else { Exit::Ok }
    }
}
