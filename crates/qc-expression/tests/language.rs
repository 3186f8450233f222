//! The language, builtin by builtin: each line is an expression, its input and all its outputs.

use qc_expression::{EvalError, Expression, Limits, Scope};
use serde_json::{Value, json};

const NOW: i64 = 1_700_000_000_500;

fn outputs(source: &str, input: &str) -> Result<Vec<Value>, EvalError> {
    let input: Value = serde_json::from_str(input).expect("the input is JSON");
    let context = json!({"user": {"id": 7}});
    let secret = json!("s3");
    let expression = Expression::parse(source, &["context", "secret"])
        .unwrap_or_else(|error| panic!("{source}: {error:?}"));
    let scope = Scope { variables: &[&context, &secret], now_ms: NOW, limits: Limits::default() };
    expression.evaluate_all(&input, &scope, 1000)
}

#[track_caller]
fn check(table: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (source, input, expected) in table {
        let expected: Value = serde_json::from_str(&format!("[{expected}]")).expect(source);
        match outputs(source, input) {
            Ok(found) if Value::Array(found.clone()) == expected => {}
            found => wrong.push(format!("{source}\n  expected {expected}\n  found    {found:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[track_caller]
fn fails(table: &[(&str, &str, &str)]) {
    for (source, input, part) in table {
        match outputs(source, input) {
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(part), "{source}: {text}");
            }
            Ok(found) => panic!("{source} gave {found:?}"),
        }
    }
}

#[test]
fn paths() {
    check(&[
        (".", "1", "1"),
        (".a", r#"{"a":1}"#, "1"),
        (".a.b.c", r#"{"a":{"b":{"c":3}}}"#, "3"),
        (".a", "null", "null"),
        (".a?", "1", ""),
        (".a.b?", r#"{"a":1}"#, ""),
        (r#"."a b""#, r#"{"a b":1}"#, "1"),
        (r#".["a"]"#, r#"{"a":1}"#, "1"),
        (r#".a["b"].c"#, r#"{"a":{"b":{"c":1}}}"#, "1"),
        (r#".a."b""#, r#"{"a":{"b":2}}"#, "2"),
        (".a.[0]", r#"{"a":[5]}"#, "5"),
        (".[0]", "[1,2]", "1"),
        (".[-1]", "[1,2]", "2"),
        (".[9]", "[1,2]", "null"),
        (".[1.7]", "[1,2]", "2"),
        (".[2:4]", "[0,1,2,3,4]", "[2,3]"),
        (".[:2]", "[0,1,2]", "[0,1]"),
        (".[-2:]", "[0,1,2]", "[1,2]"),
        (".[2:4]", r#""äbcdef""#, r#""cd""#),
        (".[1:][1:]", "[1,2,3]", "[3]"),
        (".[]", "[1,[2]]", "1,[2]"),
        (".[]", r#"{"b":1,"a":2}"#, "2,1"),
        (".[]?", "1", ""),
        ("..", "[[1]]", "[[1]],[1],1"),
        ("[..]", r#"{"a":[1]}"#, r#"[{"a":[1]},[1],1]"#),
        (".a[]?.b", r#"{"a":[{"b":1},{"b":2}]}"#, "1,2"),
        (".[.k]", r#"{"k":"x","x":5}"#, "5"),
        (".[\"a\",\"b\"]", r#"{"a":1,"b":2}"#, "1,2"),
        (".[[2,3]]", "[1,2,3,2,3]", "[1,3]"),
        ("$context.user.id", "null", "7"),
        ("[$secret, .]", "1", r#"["s3",1]"#),
        ("{a:1}.a", "null", "1"),
        ("[1,2][1]", "null", "2"),
        (r#""abc"[1:]"#, "null", r#""bc""#),
        (".if.then", r#"{"if":{"then":1}}"#, "1"),
    ]);
    fails(&[
        (".a", "1", "Cannot index number"),
        (".[0]", r#"{"a":1}"#, "Cannot index object with number"),
        (".[]", "1", "Cannot iterate over number (1)"),
    ]);
}

#[test]
fn literals_and_strings() {
    check(&[
        ("1, 1.5, 1e3, .5, -1", "null", "1,1.5,1000,0.5,-1"),
        (
            "18446744073709551615, 9223372036854775807",
            "null",
            "18446744073709551615,9223372036854775807",
        ),
        (r#""a\n\u00e9\ud83d\ude00\"\\""#, "null", r#""a\né😀\"\\""#),
        (r#""x\(1+1)y\(.a)""#, r#"{"a":[1]}"#, r#""x2y[1]""#),
        (r#""\(1,2)-\(3,4)""#, "null", r#""1-3","1-4","2-3","2-4""#),
        (r#""a\("b\("c")")""#, "null", r#""abc""#),
        ("[], {}, [1,[2]]", "null", "[],{},[1,[2]]"),
        (r#"{a:1, "b":2, ("c"+"d"):3, "e\(1)":4}"#, "null", r#"{"a":1,"b":2,"cd":3,"e1":4}"#),
        ("{a, $secret, \"b\"}", r#"{"a":1,"b":2}"#, r#"{"a":1,"secret":"s3","b":2}"#),
        ("{a:(1,2), b:3}", "null", r#"{"a":1,"b":3},{"a":2,"b":3}"#),
        ("{(\"x\",\"y\"):1}", "null", r#"{"x":1},{"y":1}"#),
        ("{a: 1 | . + 1}", "null", r#"{"a":2}"#),
        ("{if: 1, and: 2}", "null", r#"{"if":1,"and":2}"#),
        ("# note\n. # more", "1", "1"),
    ]);
    check(&[
        (r#"@base64 "x\(.)""#, r#""hé""#, r#""xaMOp""#),
        ("@base64", r#""hello""#, r#""aGVsbG8=""#),
        ("@base64d", r#""aGVsbG8=""#, r#""hello""#),
        ("@base64d", r#""aGVsbG8""#, r#""hello""#),
        ("@uri", r#""a b&ü/""#, r#""a%20b%26%C3%BC%2F""#),
        ("@urid", r#""a%20b""#, r#""a b""#),
        ("@html", r#""<a href='x'>&\"""#, r#""&lt;a href=&#39;x&#39;&gt;&amp;&quot;""#),
        ("@csv", r#"[1,"a\"b",null,true]"#, r#""1,\"a\"\"b\",,true""#),
        ("@tsv", r#"["a\tb",1]"#, r#""a\\tb\t1""#),
        ("@json", r#"{"a":[1,"x"]}"#, r#""{\"a\":[1,\"x\"]}""#),
        ("@text", "[1]", r#""[1]""#),
        ("@sh", r#"["it's",1]"#, r#""'it'\\''s' 1""#),
        ("@sh", r#""a b""#, r#""'a b'""#),
    ]);
    fails(&[
        ("{(1):2}", "null", "Object keys must be strings"),
        ("@csv", "1", "cannot be csv-formatted"),
        ("@base64d", r#""!!""#, "not valid base64"),
    ]);
}

#[test]
fn operators() {
    check(&[
        ("1+2*3-4/2", "null", "5"),
        ("10 % 3, -10 % 3, 10.9 % 3", "null", "1,-1,1"),
        ("8 * 2 % 3", "null", "1"),
        ("9223372036854775807 + 1", "null", "9223372036854775808"),
        ("18446744073709551615 + 1", "null", "18446744073709552000"),
        ("1 / 4, 6 / 2, 1.5 * 2", "null", "0.25,3,3"),
        ("(1,2) + (10,20)", "null", "11,12,21,22"),
        ("-(1,2)", "null", "-1,-2"),
        ("-.a + 3", r#"{"a":1}"#, "2"),
        ("null + 1, 1 + null", "null", "1,1"),
        (r#""a" + "b", "ab" * 3, "x" * 0"#, "null", r#""ab","ababab",null"#),
        (r#""a,b" / ",""#, "null", r#"["a","b"]"#),
        ("[1,2,2,3] - [2]", "null", "[1,3]"),
        ("{a:{b:1}} + {a:{c:2}}", "null", r#"{"a":{"c":2}}"#),
        ("{a:{b:1}} * {a:{c:2}}", "null", r#"{"a":{"b":1,"c":2}}"#),
        ("1 < 2, 1 <= 1, 2 > 3, 1 != 1, 1 == 1.0", "null", "true,true,false,false,true"),
        ("[null,true,false,1,\"a\",[],{}] | sort", "null", r#"[null,false,true,1,"a",[],{}]"#),
        ("9007199254740993 == 9007199254740992.0", "null", "false"),
        ("{a:1,b:2} < {a:1,c:0}, [1,2] < [1,3]", "null", "true,true"),
        ("true and false, true or false, (null|not)", "null", "false,true,true"),
        ("(true,false) and (true,false)", "null", "true,false,false"),
        ("false and error", "null", "false"),
        ("true or error", "null", "true"),
        (".a // 1, (.b // 2), (null // false)", r#"{"a":0}"#, "0,2,false"),
        ("(false, 1, null, 2) // 3", "null", "1,2"),
        ("empty // 3", "null", "3"),
        ("error(1) // 3", "null", "3"),
        ("first(empty) // \"none\"", "null", r#""none""#),
        ("1 as $x | 2 as $y | [$x,$y]", "null", "[1,2]"),
        (". as [$a, {b: $c, $d}] | [$a,$c,$d]", r#"[1,{"b":2,"d":3}]"#, "[1,2,3]"),
        (". as {$a: [$b]} | [$a,$b]", r#"{"a":[4]}"#, "[[4],4]"),
        (". as {(\"a\"+\"b\"): $x} | $x", r#"{"ab":1}"#, "1"),
        ("[.[] as [$a] ?// $a | $a]", "[[1],2]", "[1,2]"),
        (
            "[[3]] | .[] as [$a] ?// [$b] | if $a != null then error(\"e\") else [$a,$b] end",
            "null",
            "[null,3]",
        ),
        ("[.[] as $x | $x * 2]", "[1,2]", "[2,4]"),
        ("1 + . as $x | $x * 2", "5", "11"),
        ("1 as $x | [$x, (2 as $x | $x), $x]", "null", "[1,2,1]"),
    ]);
    fails(&[
        ("1 / 0", "null", "divisor is zero"),
        ("1 % 0", "null", "divisor is zero"),
        ("{} + 1", "null", "cannot be added"),
        ("1e308 * 10", "null", "not a finite number"),
        ("{} - {}", "null", "cannot be subtracted"),
    ]);
}

#[test]
fn control() {
    check(&[
        ("if . then 1 else 2 end", "null", "2"),
        ("if . == 1 then \"a\" elif . == 2 then \"b\" else \"c\" end", "2", r#""b""#),
        ("if false then 1 end", "7", "7"),
        ("if (true,false) then 1 else 2 end", "null", "1,2"),
        ("try error(\"x\") catch .", "null", r#""x""#),
        ("try error({a:1}) catch .a", "null", "1"),
        ("[.[] | try if . > 1 then error else . end catch -1]", "[1,2]", "[1,-1]"),
        ("try (1, error(\"x\"), 2) catch .", "null", r#"1,"x""#),
        ("[(1,2)? ]", "null", "[1,2]"),
        ("error(1)?", "null", ""),
        ("try (.a) catch \"no\"", "1", r#""no""#),
        ("reduce .[] as $x (0; . + $x)", "[1,2,3]", "6"),
        ("reduce .[] as [$k,$v] ({}; .[$k] = $v)", r#"[["a",1],["b",2]]"#, r#"{"a":1,"b":2}"#),
        ("reduce empty as $x (1; 2)", "null", "1"),
        ("reduce (1,2) as $x (0; empty)", "null", "null"),
        ("[foreach .[] as $x (0; . + $x)]", "[1,2,3]", "[1,3,6]"),
        ("[foreach .[] as $x (0; . + $x; [$x, .])]", "[1,2]", "[[1,1],[2,3]]"),
        ("[label $out | (1, break $out, 2)]", "null", "[1]"),
        ("[label $a | label $b | 1, break $a, 2]", "null", "[1]"),
        ("[.[] | label $f | if . > 1 then ., break $f else . end]", "[1,2,3]", "[1,2,3]"),
        ("def f: . + 1; f | f", "1", "3"),
        ("def f(g): g | g; 3 | f(. * 2)", "null", "12"),
        ("def f($a; $b): $a + $b; f(1;2)", "null", "3"),
        ("def f($a): a + $a; f(2)", "null", "4"),
        ("def f(x): x as $y | x + $y; f(1,2)", "null", "2,3,3,4"),
        ("def f: def g: 3; g; f", "null", "3"),
        ("def f(g): 1 as $x | g; 5 as $x | f($x)", "null", "5"),
        ("def f: 1; def f(x): 2; [f, f(0)]", "null", "[1,2]"),
        ("def f: 1; def g: f; def f: 2; g", "null", "1"),
        ("def map(f): \"mine\"; map(1)", "null", r#""mine""#),
        ("try error(null) catch .", "null", "null"),
        ("[.[]?, 1]", "5", "[1]"),
        ("(try error(\"a\") catch .) + \"b\"", "null", r#""ab""#),
        (
            "[range(3) | . as $x | (try (if $x == 1 then error(\"x\") else $x end) catch .)]",
            "null",
            r#"[0,"x",2]"#,
        ),
    ]);
    fails(&[
        ("try 1 catch 2 | error(\"later\")", "null", "later"),
        ("[.[] | try . catch 0] | error(\"out\")", "[1]", "out"),
        (
            "(try (1,2) catch \"caught\") | if . == 2 then error(\"not mine\") else . end",
            "null",
            "not mine",
        ),
    ]);
}

#[test]
fn generators() {
    check(&[
        (
            "[range(3)], [range(1;3)], [range(0;10;4)], [range(3;0;-1)]",
            "null",
            "[0,1,2],[1,2],[0,4,8],[3,2,1]",
        ),
        ("[range(0;1;0.5)]", "null", "[0,0.5]"),
        ("[range(0,1;2,3)]", "null", "[0,1,0,1,2,1,1,2]"),
        (
            "[limit(2; .[])], [limit(0; 1,2)], first(.[]), [first(empty)]",
            "[5,6,7]",
            "[5,6],[],5,[]",
        ),
        ("[limit(3; repeat(1))]", "null", "[null,1,1]"),
        ("[skip(1; .[])], nth(1; .[]), last(.[])", "[5,6,7]", "[6,7],6,7"),
        ("first, last, nth(1)", "[5,6,7]", "5,7,6"),
        ("[.[] | until(. > 100; . * 2)]", "[1,60]", "[128,120]"),
        ("[while(. < 10; . * 2)]", "1", "[1,2,4,8]"),
        ("[limit(4; repeat(. * 2))]", "1", "[1,2,4,8]"),
        ("[recurse(if . < 3 then . + 1 else empty end)]", "0", "[0,1,2,3]"),
        ("[recurse(. * .; . < 20)]", "2", "[2,4,16]"),
        ("[recurse(.[]?)]", "[[1]]", "[[[1]],[1],1]"),
        ("[recurse]", "[1]", "[[1],1]"),
        ("[2 | recurse(if . > 0 then (. - 1, . - 2) else empty end)]", "null", "[2,1,0,-1,0]"),
        ("isempty(empty), isempty(1, error(\"x\")), isempty(.[])", "[]", "true,false,true"),
        ("any, all", "[true,false]", "true,false"),
        ("any(. > 2), all(. > 0)", "[1,3]", "true,true"),
        ("any(.[]; . == 1), all(empty; false)", "[1]", "true,true"),
        ("[.[] | select(. > 1)]", "[1,2,3]", "[2,3]"),
        ("map(. + 1), map_values(. + 1)", "[1,2]", "[2,3],[2,3]"),
        ("map_values(empty)", r#"{"a":1}"#, "{}"),
        ("map(.[])", r#"{"a":[1,2]}"#, "[1,2]"),
        ("walk(if type == \"number\" then . + 1 else . end)", r#"[1,{"a":2}]"#, r#"[2,{"a":3}]"#),
    ]);
    check(&[
        ("add, add(.[] * 2), ([] | add)", "[1,2]", "3,6,null"),
        ("add", r#"{"a":"x","b":"y"}"#, r#""xy""#),
        ("[limit(1; 1, error(\"x\"))]", "null", "[1]"),
        ("[first(range(10;20))]", "null", "[10]"),
        ("IN(1,2), ([1] | IN(.[]; 1))", "2", "true,true"),
        ("INDEX(.id)", r#"[{"id":"a"},{"id":"b"}]"#, r#"{"a":{"id":"a"},"b":{"id":"b"}}"#),
        ("isvalid(1), isvalid(error)", "null", "true,false"),
    ]);
    fails(&[("[limit(-1; 1)]", "null", "negative"), ("nth(-1; 1,2)", "null", "negative")]);
}

#[test]
fn arrays_and_objects() {
    check(&[
        ("length", "[1,2]", "2"),
        (".[] | length", r#"[null,"äb",{"a":1},-5]"#, "0,2,1,5"),
        ("utf8bytelength", r#""äb""#, "3"),
        ("keys, keys_unsorted", r#"{"b":1,"a":2}"#, r#"["a","b"],["a","b"]"#),
        ("keys", "[7,8]", "[0,1]"),
        (
            "[.[] | values], [.[] | nulls], [.[] | scalars], [.[]|iterables]",
            "[1,null,[2]]",
            "[1,[2]],[null],[1,null],[[2]]",
        ),
        (
            "[.[] | numbers, strings, booleans, arrays, objects]",
            r#"[1,"a",true,[],{}]"#,
            r#"[1,"a",true,[],{}]"#,
        ),
        ("has(\"a\"), has(\"z\")", r#"{"a":1}"#, "true,false"),
        ("has(0), has(5), (0 | in([1]))", "[1]", "true,false,true"),
        ("contains(\"bar\"), (\"bar\" | inside(\"foobar\"))", r#""foobar""#, "true,true"),
        ("contains([\"baz\",\"bar\"])", r#"["foobar","foobaz"]"#, "true"),
        ("contains({a:[1]})", r#"{"a":[1,2],"b":3}"#, "true"),
        ("to_entries", r#"{"a":1}"#, r#"[{"key":"a","value":1}]"#),
        (
            "from_entries",
            r#"[{"key":"a","value":false},{"k":"b","v":2},{"name":"c"},{"key":1,"value":3}]"#,
            r#"{"a":false,"b":2,"c":null,"1":3}"#,
        ),
        ("with_entries(.value += 1)", r#"{"a":1}"#, r#"{"a":2}"#),
        ("flatten, flatten(1)", "[1,[2,[3]]]", "[1,2,3],[1,2,[3]]"),
        ("sort, sort_by(-.), reverse", "[3,1,2]", "[1,2,3],[3,2,1],[2,1,3]"),
        (
            "sort_by(.a, .b)",
            r#"[{"a":1,"b":2},{"a":1,"b":1},{"a":0,"b":9}]"#,
            r#"[{"a":0,"b":9},{"a":1,"b":1},{"a":1,"b":2}]"#,
        ),
        (
            "group_by(.a)",
            r#"[{"a":2},{"a":1},{"a":2,"b":1}]"#,
            r#"[[{"a":1}],[{"a":2},{"a":2,"b":1}]]"#,
        ),
        ("unique, unique_by(. % 2)", "[3,1,2,1]", "[1,2,3],[2,3]"),
        ("min, max, min_by(-.), max_by(-.)", "[3,1,2]", "1,3,3,1"),
        ("min, max", "[]", "null,null"),
        ("reverse", r#""abc""#, r#""cba""#),
        ("index(\",\"), rindex(\",\"), indices(\",\")", r#""ä,b,c""#, "1,3,[1,3]"),
        ("indices(1), indices([1,2])", "[0,1,2,1,2]", "[1,3],[1,3]"),
        ("transpose", "[[1],[2,3]]", "[[1,2],[null,3]]"),
        ("toarray", "1", "[1]"),
        (
            ".[] | type",
            r#"[null,true,1,"",[],{}]"#,
            r#""null","boolean","number","string","array","object""#,
        ),
        ("[.[] | isvalid(.a)]", r#"[{"a":1},1]"#, "[true,false]"),
        (
            "join(\"-\"), (map(tostring) | join(\"\"))",
            r#"["a",1,null,true]"#,
            r#""a-1--true","a1nulltrue""#,
        ),
        ("debug, debug(\"x\"), stderr", "1", "1,1,1"),
    ]);
}

#[test]
fn path_functions_and_assignment() {
    check(&[
        ("[path(.a[0], .b)]", "null", r#"[["a",0],["b"]]"#),
        ("[path(..)]", r#"{"a":[1]}"#, r#"[[],["a"],["a",0]]"#),
        (
            "[paths], [paths(type == \"number\")], [leaf_paths]",
            r#"{"a":[1]}"#,
            r#"[["a"],["a",0]],[["a",0]],[["a",0]]"#,
        ),
        ("[path(.[] | select(. > 1))]", "[1,2,3]", "[[1],[2]]"),
        ("[path(first(.[] | select(. > 1)))]", "[1,2,3]", "[[1]]"),
        ("path(.a // .b)", r#"{"b":1}"#, r#"["b"]"#),
        ("path(if .a then .a else .b end)", r#"{"b":1}"#, r#"["b"]"#),
        ("path(getpath([\"a\",\"b\"]))", "null", r#"["a","b"]"#),
        ("path(.[1:3])", "[1,2,3]", r#"[{"start":1,"end":3}]"#),
        ("[path(.a | limit(1; .[]))]", r#"{"a":[1,2]}"#, r#"[["a",0]]"#),
        ("path(1 as $x | .[$x])", "[1,2]", "[1]"),
        ("getpath([\"a\",0]), getpath([\"x\",\"y\"])", r#"{"a":[5]}"#, "5,null"),
        ("setpath([\"a\",1]; 2)", "null", r#"{"a":[null,2]}"#),
        ("delpaths([[\"a\"],[\"b\",0]])", r#"{"a":1,"b":[1,2]}"#, r#"{"b":[2]}"#),
        ("del(.a), del(.a, .b), del(.x)", r#"{"a":1,"b":2}"#, r#"{"b":2},{},{"a":1,"b":2}"#),
        (
            "del(.[0,2]), del(.[1:]), del(.[] | select(. > 1)), del(.[-1])",
            "[1,2,3]",
            "[2],[1],[1],[1,2]",
        ),
        ("to_entries | map(select(.value > 1)) | from_entries", r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
        ("pick(.a, .b.c)", r#"{"a":1,"b":{"c":2,"d":3},"e":4}"#, r#"{"a":1,"b":{"c":2}}"#),
        ("pick(.[1])", "[1,2,3]", "[null,2]"),
        (".a = 1", "null", r#"{"a":1}"#),
        (".a.b |= . + 1", r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#),
        (
            ".[] += 1, (.[0] -= 1), (.[0] *= 3), (.[1] /= 2), (.[1] %= 2)",
            "[1,2]",
            "[2,3],[0,2],[3,2],[1,1],[1,0]",
        ),
        (".a //= 5, (.b //= 5)", r#"{"a":1}"#, r#"{"a":1},{"a":1,"b":5}"#),
        (".a = (1,2)", "null", r#"{"a":1},{"a":2}"#),
        (".a += (1,2)", r#"{"a":1}"#, r#"{"a":2},{"a":3}"#),
        (".a = .b // 2", r#"{"b":null}"#, r#"{"a":2,"b":null}"#),
        ("(.[] | select(. >= 2)) |= empty", "[1,5,3,0,7]", "[1,0]"),
        ("(.a, .b) = 9", "null", r#"{"a":9,"b":9}"#),
        (".[1:3] = [\"x\"]", "[1,2,3,4]", r#"[1,"x",4]"#),
        (".[1:] |= map(. * 2)", "[1,2,3]", "[1,4,6]"),
        (".[-1] = 9", "[1,2]", "[1,9]"),
        ("(.. | numbers) |= . + 1", r#"[1,{"a":[2]}]"#, r#"[2,{"a":[3]}]"#),
        (".[2] = 1", "null", "[null,null,1]"),
        ("(.a | .b) = 1", "null", r#"{"a":{"b":1}}"#),
        ("def f: .a; f = 3", "null", r#"{"a":3}"#),
        ("map_values(. + 1)", r#"{"a":1}"#, r#"{"a":2}"#),
        (". as $o | .a = $o", r#"{"b":1}"#, r#"{"a":{"b":1},"b":1}"#),
        (".x.y.z |= 3", "null", r#"{"x":{"y":{"z":3}}}"#),
        ("reduce (\"a\",\"b\") as $k (.; .[$k] += 1)", "{}", r#"{"a":1,"b":1}"#),
        ("first |= 5, (last |= 6)", "[1,2]", "[5,2],[1,6]"),
    ]);
    check(&[
        ("(.a?) = 1", "null", r#"{"a":1}"#),
        ("del(..|select(. == 1))", "[1,[1,2]]", "[[2]]"),
        ("delpaths([]), delpaths([[]])", "[1]", "[1],null"),
    ]);
    fails(&[
        ("path(1)", "null", "has no path"),
        (".[-5] = 1", "[1]", "negative array index"),
        (".[\"a\"] = 1", "[1]", "Cannot index array"),
        (".[0:1] = 5", "[1]", "only be assigned another array"),
    ]);
}

#[test]
fn text_functions() {
    check(&[
        ("ascii_downcase, ascii_upcase", r#""aBÄ""#, r#""abÄ","ABÄ""#),
        (
            "ltrimstr(\"a\"), rtrimstr(\"c\"), trimstr(\"x\"), (1 | ltrimstr(\"a\"))",
            r#""abc""#,
            r#""bc","ab","abc",1"#,
        ),
        ("startswith(\"ab\"), endswith(\"ab\")", r#""abc""#, "true,false"),
        ("trim, ltrim, rtrim", r#"" a ""#, r#""a","a "," a""#),
        ("split(\",\"), split(\"\")", r#""a,b""#, r#"["a","b"],["a",",","b"]"#),
        ("split(\",\")", r#""""#, "[]"),
        ("explode, (explode | implode), ([65] | implode)", r#""aé""#, r#"[97,233],"aé","A""#),
        ("ascii", "65", r#""A""#),
        (
            "tojson, (tojson | fromjson)",
            r#"{"a":[1.5,"x\u0001"]}"#,
            r#""{\"a\":[1.5,\"x\\u0001\"]}",{"a":[1.5,"x\u0001"]}"#,
        ),
        (".[] | tostring", r#"[1,"a",[1],null]"#, r#""1","a","[1]","null""#),
        (".[] | tonumber", r#"["12","-1.50",7,"1e2"]"#, "12,-1.5,7,100"),
        ("\"true\" | toboolean", "null", "true"),
        ("floor, ceil, round, trunc, sqrt, (-. | abs), fabs", "2.25", "2,3,2,2,1.5,2.25,2.25"),
        ("pow(2;10), (1|exp|log), (100|log10), (8|log2)", "null", "1024,1,2,3"),
        ("isnan, isinfinite, isnormal", "1", "false,false,true"),
        ("now", "null", "1700000000.5"),
        ("todate, (todate | fromdate)", "1425599621", r#""2015-03-05T23:53:41Z",1425599621"#),
        (
            "gmtime, (gmtime | mktime), (gmtime | todate)",
            "1425599621",
            r#"[2015,2,5,23,53,41,4,63],1425599621,"2015-03-05T23:53:41Z""#,
        ),
        ("strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime", r#""2015-03-05T23:51:47Z""#, "1425599507"),
        ("strftime(\"%A, %B %d, %Y\")", "1425599621", r#""Thursday, March 05, 2015""#),
        ("fromdateiso8601", r#""2015-03-05T23:51:47+01:00""#, "1425595907"),
        (
            "strptime(\"%d.%m.%Y\") | mktime | todate",
            r#""05.03.2015""#,
            r#""2015-03-05T00:00:00Z""#,
        ),
    ]);
    fails(&[
        ("implode", "[1114112]", "not a Unicode code point"),
        ("implode", "[55296]", "not a Unicode code point"),
        ("fromjson", r#""{""#, "not valid JSON"),
        ("fromjson", r#""NaN""#, "not valid JSON"),
        ("tonumber", r#""nan""#, "cannot be parsed"),
        ("-1 | sqrt", "null", "not a finite number"),
        ("0 | log", "null", "not a finite number"),
        ("1e15 | todate", "null", "not a time"),
        ("strftime(\"%!\")", "1", "does not work"),
    ]);
}

#[test]
fn regexes() {
    check(&[
        ("test(\"B\"; \"i\"), test(\"^a.c$\"), test(\"x\")", r#""abc""#, "true,true,false"),
        ("[match(\"a\"; \"g\") | .offset]", r#""äaba""#, "[1,3]"),
        (
            "match(\"(?<x>b)(c)?\")",
            r#""ab""#,
            r#"{"offset":1,"length":1,"string":"b","captures":[{"offset":1,"length":1,"string":"b","name":"x"},{"offset":-1,"length":0,"string":null,"name":null}]}"#,
        ),
        ("capture(\"(?<y>\\\\d+)-(?<m>\\\\d+)\")", r#""on 2024-05""#, r#"{"y":"2024","m":"05"}"#),
        (
            "[scan(\"[a-c]\")], [scan(\"(a)(.)\")], [scan(\"A\"; \"i\")]",
            r#""abca""#,
            r#"["a","b","c","a"],[["a","b"]],["a","a"]"#,
        ),
        ("split(\", *\"; null), [splits(\",\")]", r#""a, b,c""#, r#"["a","b","c"],["a"," b","c"]"#),
        (
            "sub(\"a\"; \"x\"), gsub(\"a\"; \"x\"), gsub(\"(?<l>[ab])\"; \"<\\(.l)>\")",
            r#""aba""#,
            r#""xba","xbx","<a><b><a>""#,
        ),
        ("gsub(\"\"; \"-\")", r#""ab""#, r#""-a-b-""#),
        ("gsub(\"^\"; \">\")", r#""ab""#, r#"">ab""#),
    ]);
    check(&[
        ("[gsub(\"p\"; \"a\",\"b\")]", r#""p""#, r#"["a","b"]"#),
        ("gsub(\"\\\\s+\"; \" \")", r#""a  b \t c""#, r#""a b c""#),
        ("[match(\"\"; \"g\").offset]", r#""äb""#, "[0,1,2]"),
        ("test(\"\\\\bfoo\\\\b\")", r#""a foo b""#, "true"),
        ("test([\"A\",\"i\"])", r#""a""#, "true"),
        (".re as $r | .s | test($r)", r#"{"re":"^x+$","s":"xxx"}"#, "true"),
        ("[match(\"a|ab\").string], [match(\"a*?b\").string]", r#""aab""#, r#"["a"],["aab"]"#),
        ("[match(\"(a+)(b*)\").captures[].string]", r#""xaabbb""#, r#"["aa","bbb"]"#),
        ("sub(\"(?<a>.)(?<b>.)\"; .b + .a)", r#""xy!""#, r#""yx!""#),
        (
            "ascii_downcase | gsub(\"[^a-z0-9]+\"; \"-\")",
            r#""Hello, World 42""#,
            r#""hello-world-42""#,
        ),
        ("test(\"é\"), test(\".\"; \"s\"), test(\"c a\"; \"x\")", r#""café""#, "true,true,true"),
    ]);
    fails(&[
        ("test(\"(\" + .)", r#""x""#, "regex does not work"),
        ("test(\"a\")", "1", "cannot be matched"),
    ]);
}
