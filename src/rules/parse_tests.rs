use super::*;

/// All faults, as people see them.
fn faults(tags: &str, flavor: &str) -> Vec<String> {
    let faults = parse(tags, flavor).expect_err(tags);
    faults.iter().map(ToString::to_string).collect()
}

fn notices(tags: &str) -> Vec<String> {
    let rules = parse(tags, "").unwrap_or_else(|faults| panic!("{tags}: {faults:?}"));
    rules.notices.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_wrong_in_a_line() {
    for (tags, column, words) in [
        (
            "type=semvr,pattern={{version}}",
            6,
            "there is no type `semvr` (did you mean `semver`? types are `schedule`",
        ),
        ("type=SEMVER,pattern=x", 6, "there is no type `SEMVER` (did you mean `semver`?"),
        ("type=,value=x", 6, "there is no type ``"),
        ("type=semver", 1, "`type=semver` needs `pattern` (for example `pattern={{version}}`)"),
        ("type=pep440,value=1", 1, "`type=pep440` needs `pattern`"),
        ("type=match", 1, "`type=match` needs `pattern`"),
        ("type=ref", 1, "`type=ref` needs `event` (for example `event=branch`"),
        ("type=raw", 1, "`type=raw` needs `value`"),
        ("enable=true", 1, "`type=raw` needs `value`"),
        (
            "event=branch",
            1,
            "there is no attribute `event` (`type=ref` has it; a line without `type` takes `value`, `enable`",
        ),
        ("type=ref,event=branches", 16, "`event` cannot be `branches` (write one of `branch`, `tag`, `pr`)"),
        ("type=ref,event=Branch", 16, "`event` cannot be `Branch`"),
        ("type=sha,format=full", 17, "`format` cannot be `full` (write one of `short`, `long`)"),
        (
            "type=sha,fromat=long",
            10,
            "there is no attribute `fromat` (did you mean `format`? sha takes `format`, `enable`",
        ),
        ("type=semver,patern={{version}}", 13, "did you mean `pattern`?"),
        ("type=raw,value=x,enabled=false", 18, "there is no attribute `enabled` (did you mean `enable`?"),
        ("type=raw,value=x,enable=yes", 25, "`enable` cannot be `yes` (write `true` or `false`"),
        ("type=raw,value=x,enable=True", 25, "`enable` cannot be `True`"),
        ("type=raw,value=x,enable=", 25, "`enable` cannot be ``"),
        ("type=raw,value=x,priority=high", 27, "`priority` cannot be `high`"),
        ("type=raw,value=x,priority=", 27, "`priority` cannot be ``"),
        ("type=raw,value=x,priority=1e3", 27, "`priority` cannot be `1e3`"),
        ("type=raw,value=x,priority=inf", 27, "`priority` cannot be `inf`"),
        ("type=raw,value=x-{{brunch}}", 18, "there is no expression `{{brunch}}` (did you mean `branch`?"),
        (
            "type=semver,pattern={{branch}}",
            21,
            "there is no expression `{{branch}}` (known here: `raw`, `version`",
        ),
        (
            "type=schedule,pattern={{sha}}",
            23,
            "there is no expression `{{sha}}` (known here: `date`, `commit_date`)",
        ),
        ("type=raw,value={{date 'YYYY' tz='Mars/Base'}}", 16, "there is no time zone `Mars/Base`"),
        ("type=match,pattern=v(?=1)", 21, "look-around is not supported"),
        (r"type=match,pattern=(a)\1", 23, "back-references are not supported"),
        ("type=match,pattern=/a/x", 23, "`x` is not a flag"),
        ("type=match,pattern=a(b,group=2", 21, "this `(` is not closed"),
        ("type=match,pattern=a(b),group=2", 31, "the pattern has no group 2 (its highest is 1"),
        ("type=match,pattern=a,group=one", 28, "`group` cannot be `one`"),
        ("type=semver,pattern={{version}},match=v.*", 39, "has no group"),
        ("type=default,prefix=x-", 14, "means nothing"),
        ("type=raw,value=\"x\"", 16, "a quote can stand only"),
        ("=x", 1, ""),
        ("ghcr.io/a/b:1,priority=3", 15, "a whole reference has no `priority`"),
        ("ghcr.io/a/b:1,latest", 15, "`latest` stands among whole references"),
        ("ghcr.io/a/b", 1, "has no tag"),
        ("acme/api:1", 1, "`docker.io/acme/api:1`"),
        ("ghcr.io/a/b:1,enable=no", 22, "`enable` cannot be `no`"),
        ("name=ghcr.io/a/b,enable=true", 1, "there is no attribute `name`"),
    ] {
        match parse(tags, "") {
            Err(faults) => {
                let told = faults[0].to_string();
                assert!(told.contains(words), "{tags}: {told}");
                assert_eq!(faults[0].place.column, column, "{told}");
                assert_eq!(faults.len(), 1, "{tags}: {faults:?}");
            }
            Ok(rules) if tags.contains("type=default") => assert!(rules.notices[0].message.contains(words)),
            // What it makes is no tag: that is found when it is carried out.
            Ok(_) => assert!(words.is_empty(), "{tags}"),
        }
    }
}

#[test]
fn what_is_wrong_in_a_flavor() {
    for (flavor, column, words) in [
        ("latest=yes", 8, "`latest` cannot be `yes` (write one of `auto`, `true`, `false`)"),
        ("latest=", 8, "`latest` cannot be ``"),
        ("auto", 1, "`auto` is not a `name=value` (`flavor` takes `latest`"),
        ("sufix=-x", 1, "there is no `sufix` in `flavor` (did you mean `suffix`?"),
        ("onlatest=true", 1, "`onlatest` says nothing by itself"),
        ("suffix=-x\nonlatest=true", 1, "`onlatest` says nothing by itself"),
        ("suffix=-x,onlatest=maybe", 20, "`onlatest` cannot be `maybe`"),
        ("prefix={{x}}", 8, "there is no expression `{{x}}`"),
    ] {
        let faults = parse("", flavor).expect_err(flavor);
        let told = faults[0].to_string();
        assert!(told.contains(words), "{flavor}: {told}");
        assert!(told.starts_with("`flavor`, line "), "{told}");
        assert_eq!((faults.len(), faults[0].place.column), (1, column), "{told}");
    }
}

#[test]
fn all_faults_of_both_inputs_at_once() {
    let told = faults("type=x\n\n# fine\ntype=ref,event=x,enable=no\nok\n{{y}}", "latest=x\nfoo");
    let places: Vec<&str> = told.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "`tags`, line 1, column 6",
            "`tags`, line 4, column 16",
            "`tags`, line 4, column 25",
            "`tags`, line 6, column 1",
            "`flavor`, line 1, column 8",
            "`flavor`, line 2, column 1",
        ]
    );
}

#[test]
fn what_metadata_action_ignores_is_a_notice() {
    for (tags, words) in [
        ("type=edge,onlatest=false", "`onlatest` means nothing in a rule, it belongs in `flavor`"),
        ("type=edge,latest = false", "`latest` means nothing in a rule"),
        ("type=ref,event=branch,value=main", "`value` means nothing with `type=ref`"),
        ("type=ref,event=branch,main", "`value` means nothing with `type=ref`"),
        ("type=sha,pattern=x", "`pattern` means nothing with `type=sha`"),
        ("foo,bar", "`value` is given twice: the last one, `bar`, counts"),
        ("type=raw,type=sha", "`type` is given twice"),
    ] {
        let told = notices(tags);
        assert_eq!(told.len(), 1, "{tags}: {told:?}");
        assert!(told[0].contains(words), "{tags}: {told:?}");
    }
    for silent in [
        "type=semver, pattern = {{version}} , value = 1",
        "latest",
        "type=raw,x",
        "",
        "# type=x",
        "ghcr.io/a/b:1",
    ] {
        assert_eq!(notices(silent), Vec::<String>::new(), "{silent}");
    }
}

#[test]
fn what_a_line_means() {
    let only = |tags: &str| match parse(tags, "").unwrap().entries.as_slice() {
        [Entry::Rule(rule)] => rule.clone(),
        other => panic!("{tags}: {other:?}"),
    };
    for (tags, prefix, suffix, priority) in [
        ("type=schedule", None, None, 1_000),
        ("type=semver,pattern=x", None, None, 900),
        ("type=pep440,pattern=x", None, None, 900),
        ("type=match,pattern=x", None, None, 800),
        ("type=edge", None, None, 700),
        ("type=ref,event=branch", None, None, 600),
        ("type=ref,event=pr", Some("pr-"), None, 600),
        ("type=ref,event=pr,prefix=", Some(""), None, 600),
        ("type=raw,value=x", None, None, 200),
        ("x", None, None, 200),
        ("type=sha", Some("sha-"), None, 100),
        ("type=sha,prefix=,suffix=-x,priority=-2", Some(""), Some("-x"), -2),
        ("TYPE=raw,VALUE=x,Priority=5", None, None, 5),
        ("type=default", None, None, 600),
    ] {
        let rule = only(tags);
        let text =
            |template: &Option<Template>| template.as_ref().and_then(Template::literal).map(str::to_owned);
        let told = (text(&rule.prefix), text(&rule.suffix), rule.priority);
        let expected = (prefix.map(str::to_owned), suffix.map(str::to_owned), Priority(priority * 1_000));
        assert_eq!(told, expected, "{tags}");
    }
    assert!(only("a,priority=0.5").priority > only("a,priority=0.25").priority);
    assert_eq!(only("type=edge,branch=").kind, Kind::Edge { branch: None });
    assert_eq!(only("type=edge,branch=dev").kind, Kind::Edge { branch: Some("dev".into()) });
    assert_eq!(only("type=sha,format=long").kind, Kind::Sha { long: true });
    assert_eq!(only("type=schedule").kind, Kind::Schedule { pattern: Template::text("nightly") });
}

#[test]
fn references_and_rules_are_mixed() {
    let rules =
        parse("latest\nghcr.io/a/b:1,ghcr.io/c/d:2,enable=false\n\ntype=raw,ghcr.io/a/b:3\n,enable=true", "")
            .unwrap();
    let kinds: Vec<String> = rules
        .entries
        .iter()
        .map(|entry| match entry {
            Entry::Rule(rule) => format!("{} rule", rule.place.line),
            Entry::Reference(reference) => format!("{} {}", reference.place.line, reference.repository),
        })
        .collect();
    assert_eq!(kinds, ["1 rule", "2 ghcr.io/a/b", "2 ghcr.io/c/d", "4 rule", "5 rule"]);
    let reference = rules.references().next().unwrap();
    assert_eq!((reference.enable.literal(), reference.tag.literal()), (Some("false"), Some("1")));
    assert_eq!(rules.references().count(), 2);
}

#[test]
fn flavors() {
    let read = |text: &str| {
        let flavor = parse("", text).unwrap_or_else(|faults| panic!("{text}: {faults:?}")).flavor;
        let text = |template: &Template| template.literal().unwrap_or("{{}}").to_owned();
        let (prefix, suffix) = (text(&flavor.prefix), text(&flavor.suffix));
        let (on, on_too) = (flavor.prefix_on_latest, flavor.suffix_on_latest);
        format!("{:?} {prefix}:{on} {suffix}:{on_too}", flavor.latest)
    };
    for (text, expected) in [
        ("", "Auto :false :false"),
        ("latest = false", "No :false :false"),
        ("latest=true\nlatest=auto", "Auto :false :false"),
        ("prefix=a-,onlatest=true\nsuffix=-b", "Auto a-:true -b:false"),
        ("prefix=a-,onlatest=true,suffix=-b,onlatest=false,latest=true", "Yes a-:true -b:false"),
        ("suffix=-b , onlatest=true", "Auto :false -b:true"),
        ("suffix=", "Auto :false :false"),
        ("SUFFIX={{branch}}", "Auto :false {{}}:false"),
        ("# x\n\n", "Auto :false :false"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn variables() {
    for (text, expected) in [
        ("", Some(7)),
        (" 12 ", Some(12)),
        ("40", Some(40)),
        ("99", Some(99)),
        ("0", None),
        ("-1", None),
        ("x", None),
        ("7.5", None),
    ] {
        assert_eq!(short_sha_length(text), expected, "{text}");
    }
    assert!(
        names_pull_request_head("True") && !names_pull_request_head("false") && !names_pull_request_head("")
    );
}
