//! Expressions written to crash, hang, exhaust or look out of the process. Each must end in an
//! error, on a small stack, in a debug build.

use qc_expression::{EvalError, Expression, Limits, ParseError, Scope, codes};
use serde_json::{Value, json};

/// Well below the 2 MiB that a worker thread has.
const STACK: usize = 1280 * 1024;

fn on_small_stack<T: Send + 'static>(deed: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(deed);
    thread.expect("a thread starts").join().expect("the deed does not panic")
}

fn run(source: &str, input: &Value) -> Result<Value, EvalError> {
    let expression =
        Expression::parse(source, &[]).unwrap_or_else(|error| panic!("{source}: {error:?}"));
    let scope = Scope { variables: &[], now_ms: 0, limits: Limits::default() };
    expression.evaluate(input, &scope)
}

fn refused(source: &str) -> ParseError {
    let source = source.to_owned();
    on_small_stack(move || match Expression::parse(&source, &[]) {
        Err(error) => error,
        Ok(_) => panic!("{source} was read"),
    })
}

#[test]
fn what_spends_without_end_is_stopped() {
    on_small_stack(|| {
        for source in [
            "[repeat(1)]",
            "last(repeat(.))",
            "until(false; .)",
            "[range(1e12)]",
            "last(range(1e12))",
            "[range(0; 1; 1e-300)]",
            "\"x\" * 1000000000",
            "\"x\" * 1e300",
            "reduce range(100) as $i (\"x\"; . + .)",
            "reduce range(100) as $i ([1]; . + .)",
            "reduce range(100) as $i (\"[]\"; [., .] | tojson)",
            "reduce range(100) as $i (1; [., .])",
            "reduce range(60) as $i (1; [., .]) == reduce range(60) as $i (1; [., .])",
            "reduce range(60) as $i (1; [., .]) | tojson",
            "reduce range(60) as $i (1; [., .]) | flatten",
            "reduce range(60) as $i (1; [., .]) | walk(.)",
            "reduce range(60) as $i (1; [., .]) | [..]",
            "reduce range(60) as $i (1; [., .]) | [.] | sort | unique | contains([[]])",
            "last(foreach repeat(1) as $x (\"x\"; . + .))",
            "reduce repeat(1) as $x (0; . + 1)",
            "[recurse([., .])]",
            "[recurse(.)]",
            "[recurse(., .)]",
            "[while(true; .)]",
            "last(limit(1e18; repeat(1)))",
            "isempty(repeat(1) | empty)",
            "any(repeat(1); false)",
            ".[1e9] = 1",
            ".[1e18] = 1",
            "setpath([1e9]; 1)",
            "[.[1e9], (.[1000000] = 1), (.[1000000] = 1)]",
            "setpath([range(100000) | 0]; 1)",
            "getpath([range(100000) | \"a\"]) = 1",
            "reduce range(10000) as $i (null; [.])",
            "reduce range(10000) as $i (null; {a: .})",
            "reduce range(10000) as $i (null; {a: 1} + {b: .})",
            "[range(300000)] | tojson | fromjson",
            "(\"[\" * 100000) | fromjson",
            "(\"[\" * 127 + \"]\" * 127) | fromjson",
            "([range(3000)] - [range(3000) | . + 5000])",
            "[range(50000) | 1] | indices([range(1000) | 1])",
            "(\"a\" * 100000) | [match(\"\"; \"g\")] | length | . * 1e300 * 1e300",
            "(\"a\" * 500000) | gsub(\"\"; \"xxxxxxxxxxxxxxxxxxxxxxxx\")",
            "(\"a\" * 100000) | [splits(\"\")] | add | . * 1000",
            "(\"a\" * 60000) | [match(\".*b|a\"; \"g\")]",
            "(\"a\" * 1000000) | test(\"(a*)*(a*)*(a*)*b\")",
            "(\"ab\" * 500000) | test(\"[ab]*a[ab]{200}c\")",
            "[range(1000000) | tostring | test(\"^\" + . + \"\\\\w{20}\")]",
            "(\"x\" * 1000000) | explode",
            "[limit(100000; repeat(\"x\" * 1000))] | join(\"\")",
            "[range(100000) | {key: tostring, value: (\"y\" * 100)}] | from_entries",
            "(\"<\" * 3000000) | @html",
            "[range(1000)] | [.[] as $a | .[] as $b | .[] as $c | 1]",
            "(1,2,3,4,5,6,7,8) | [., .] | [.[], .[], .[], .[]] | [., ., ., .]",
            "[limit(1000000; repeat(1))] | [.[:range(1000)]]",
            "{} | until(false; . + {(length | tostring): .})",
            "[range(200000)] | sort_by(-.)",
            "(\"a\" * 2000000) as $a | [range(100000) | $a | startswith($a)]",
            "(\"a\" * 2000000) as $a | [range(100000) | $a | ltrimstr($a)]",
            "(\"a\" * 2000000) as $a | {($a): 1} | [range(100000) as $i | .[$a]]",
            "(\"a\" * 2000000) as $a | {($a): 1} | [range(100000) as $i | has($a)]",
            "(\"a\" * 2000000) as $a | [range(100000) | $a == ($a + \"\")]",
            "(\" \" * 2000000) as $a | [range(100000) | $a | trim]",
            "(\"a\" * 2000000) as $a | [range(100000) | $a | length]",
            "(\"a\" * 2000000) as $a | [range(100000) | $a[1999999:]]",
            "(\"a\" * 2000000) as $a | [range(100000) | $a | tonumber? // 1]",
            "(\"a\" * 2000000) as $a | $a | indices((\"a\" * 1000000) + \"b\")",
            "[range(50000)] as $a | [range(100000) | $a | contains([-1])]",
            "[range(50000)] as $a | [range(100000) | $a[1:][0]]",
            "[range(50000)] as $a | [range(100000) | $a | .[0] = 1 | .[0]]",
            "[range(50000) | {key: tostring, value: 1}] | from_entries as $a | [range(100000) | $a | keys | length]",
            "[limit(30; repeat([range(5000)]))] | map(.[0] = 1) | map(tojson) | add * 100",
        ] {
            match run(source, &Value::Null) {
                Err(
                    EvalError::Fuel { .. }
                    | EvalError::Bytes { .. }
                    | EvalError::Depth
                    | EvalError::Failed { .. }
                    | EvalError::ManyOutputs,
                ) => {}
                other => panic!("{source}: {:.200}", format!("{other:?}")),
            }
        }
    });
}

#[test]
fn no_limit_can_be_caught() {
    for source in [
        "try repeat(1) catch 1",
        "[.[]?, (try last(repeat(1)) catch 1)]",
        "(last(repeat(1))) // 1",
        "[last(repeat(1))?]",
        "\"x\" * 1e9 // 2",
        "try (\"x\" * 1e9) catch 1",
        "first(last(repeat(1)), 2)",
        "null as [$a] ?// $a | last(repeat(1))",
    ] {
        let found = run(source, &Value::Null);
        let spent = matches!(
            found,
            Err(EvalError::Fuel { .. } | EvalError::Bytes { .. } | EvalError::ManyOutputs)
        );
        assert!(spent, "{source}: {found:?}");
    }
}

#[test]
fn recursion_is_refused() {
    for source in [
        "def f: 1+f; f",
        "def f: f; f",
        "def f: f; 1",
        "def f(g): g | f(g); f(.)",
        "def f: def g: f; g; f",
        "def f(x): def g: f(x); g; f(1)",
    ] {
        assert_eq!(refused(source).code, codes::RECURSION, "{source}");
    }
    // A parameter may be called with a call to its own function: that is no recursion.
    assert_eq!(run("def f(g): g + 1; f(f(f(0)))", &json!(null)), Ok(json!(3)));
}

#[test]
fn nothing_outside_is_seen() {
    for name in [
        "env",
        "$ENV",
        "$ENV.PATH",
        "input",
        "[inputs]",
        "halt",
        "halt_error",
        "halt_error(1)",
        "input_filename",
        "input_line_number",
        "$__loc__",
        "import \"a\" as $d; 1",
        "include \"a\"; 1",
        "m::f",
        "localtime",
        "strflocaltime(\"%Z\")",
        "nan",
        "infinite",
        "get_search_list",
        "modulemeta",
        "builtins",
    ] {
        let error = refused(name);
        assert_eq!(error.code, codes::REFUSED_FUNCTION, "{name}: {error:?}");
    }
    assert!(refused("env").message.contains("`env`"));
}

#[test]
fn deep_and_large_sources_are_refused() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{a:", "}"),
        ("-", ""),
        ("if . then ", " end"),
        ("try ", ""),
        ("\"\\(", ")\""),
        (". as $x | ", ""),
        ("label $x | ", ""),
        (".[", "]"),
        ("map(", ")"),
        ("reduce ", ""),
        (". = ", ""),
        ("def f: 1; ", ""),
        ("def f: ", "; 1"),
        ("first(", ")"),
        ("{(", "):1}"),
        (". as [", "$x] | 1"),
        (". as {a:", "$x} | 1"),
        ("@json \"\\(", ")\""),
    ] {
        let source = format!("{}.{}", open.repeat(700), close.repeat(700));
        let error = refused(&source);
        assert!(
            [codes::TOO_COMPLEX, codes::SYNTAX].contains(&error.code),
            "{open}: {:?}",
            error.code
        );
    }
    let chain: Vec<String> = (0..200).map(|n| format!("def f{}: f{n}, f{n};", n + 1)).collect();
    let doubling = format!("def f0: 1; {} f60", chain[..60].join(" "));
    assert_eq!(refused(&doubling).code, codes::TOO_COMPLEX);
    let nested = (0..70).fold("1".to_owned(), |body, n| format!("def g{n}: {body}; g{n}"));
    assert_eq!(refused(&nested).code, codes::TOO_COMPLEX);
    let patterns: Vec<String> = (0..500).map(|n| format!("test(\"\\\\w{{9}}{n}\")")).collect();
    assert_eq!(refused(&patterns.join(",")).code, codes::TOO_COMPLEX);
    let text = format!("def f: \"{}\"; [{}]", "x".repeat(8000), vec!["f"; 4000].join(","));
    assert_eq!(refused(&text).code, codes::TOO_COMPLEX);
    assert_eq!(refused(&" ".repeat(20_000)).code, codes::SOURCE_TOO_LONG);
}

#[test]
fn long_but_flat_sources_are_fine() {
    on_small_stack(|| {
        let sum = vec!["1"; 1500].join("+");
        assert_eq!(run(&sum, &json!(null)), Ok(json!(1500)));
        let list = format!("[{}]", vec![".a"; 2000].join(","));
        assert_eq!(run(&list, &json!({"a":1})).map(|v| v.as_array().map(Vec::len)), Ok(Some(2000)));
        let pipe = vec!["."; 3000].join("|");
        assert_eq!(run(&pipe, &json!(5)), Ok(json!(5)));
        let or = vec!["false"; 1000].join(" or ");
        assert_eq!(run(&or, &json!(5)), Ok(json!(false)));
        let path = format!(".{}", "a.".repeat(4000));
        assert!(Expression::parse(path.trim_end_matches('.'), &[]).is_ok());
        let stages = vec![".[]"; 40].join("|");
        assert!(run(&format!("[{stages}]"), &json!([])).is_ok());
    });
}

#[test]
fn deep_data_is_refused_not_walked() {
    on_small_stack(|| {
        let mut deep = json!(1);
        for _ in 0..5000 {
            deep = Value::Array(vec![deep]);
        }
        for source in [
            ".",
            "tojson",
            ". == .",
            "[.]",
            "walk(.)",
            "[..] | length",
            "flatten",
            "contains([[1]])",
            "[paths]",
            "tostring",
            "[.] | sort",
            "{a: .}",
            "[getpath([range(200) | 0])]",
            "(.. | numbers) |= 1",
            "@json",
            "map(tojson)",
            "del(.. | numbers)",
            "[.] - [.]",
            "{a: .} * {a: .} | .b = 1",
            "[.[]] | unique",
            "indices(.)",
            "[leaf_paths]",
        ] {
            let found = run(source, &deep);
            let bounded = matches!(
                found,
                Err(EvalError::Depth | EvalError::Fuel { .. } | EvalError::Bytes { .. })
            );
            let harmless = ["[..] | length", "contains([[1]])", "indices(.)"].contains(&source);
            assert!(bounded || harmless, "{source}: {found:.100?}");
        }
        // Dropping it is the business of whoever made it.
        std::mem::forget(deep);
    });
}

#[test]
fn the_limits_given_are_the_limits_kept() {
    let expression = Expression::parse("[range(10)] | add", &[]).expect("valid");
    let with = |limits| {
        let scope = Scope { variables: &[], now_ms: 0, limits };
        expression.evaluate(&Value::Null, &scope)
    };
    assert_eq!(with(Limits::default()), Ok(json!(45)));
    assert_eq!(with(Limits { fuel: 5, ..Limits::default() }), Err(EvalError::Fuel { limit: 5 }));
    assert_eq!(
        with(Limits { bytes: 99, ..Limits::default() }),
        Err(EvalError::Bytes { limit: 99 })
    );
    assert_eq!(with(Limits { depth: 1, ..Limits::default() }), Err(EvalError::Depth));
}
