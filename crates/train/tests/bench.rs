//! The bench commands; what they measure is not asserted.

mod common;

use std::collections::BTreeSet;

use common::{Place, Run};

#[test]
fn bench_conv_prints_a_line_per_pass_and_algorithm() {
    let place = Place::new();
    let run = place.run("bench conv --only lenet/conv2 --batch 1 --seconds 0 --json").succeeded();
    let lines: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let passes: BTreeSet<&str> = lines.iter().map(|line| line["pass"].as_str().unwrap()).collect();
    assert_eq!(passes.into_iter().collect::<Vec<_>>(), ["forward", "grad_input", "grad_weight"]);
    for line in &lines {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        let want = ["spec", "pass", "precision", "threads", "algorithm", "picked", "ms", "gflops", "layer"];
        assert_eq!(keys, want);
        assert_eq!(line["spec"], serde_json::json!([1, 14, 14, 6, 16, 5, 1, 0, 1]));
        assert!(line["ms"].as_f64().unwrap() > 0.0 && line["precision"] == "float32", "{line}");
    }
    let picked = |pass: &str| lines.iter().filter(|line| line["pass"] == pass && line["picked"] == true).count();
    assert_eq!(["forward", "grad_input", "grad_weight"].map(picked), [1; 3]);
    assert!(run.err.contains("of peak") && run.err.contains("1 x 14x14x6 -> 10x10x16, 5x5"), "{}", run.err);
}

#[test]
fn bench_conv_selects() {
    let place = Place::new();
    let arguments = "bench conv --only lenet/conv2 --batch 1 --seconds 0 --pass grad_weight --algorithm reference";
    let out = place.run(arguments).succeeded().out;
    assert_eq!(out.lines().filter(|line| line.contains("reference")).count(), 1, "{out}");
    let run = place.run("bench conv --only nothing");
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("'nothing'"), "{}", run.err);
}

#[test]
fn bench_conv_explains_what_is_picked() {
    let place = Place::new();
    let out = place.run("bench conv --explain --only lenet/conv2 --batch 1 --seconds 0 --pass forward").succeeded().out;
    for part in [
        "pointwise         declines",
        "it takes 1x1 kernels with stride 1 and no padding; this kernel is\n",
        "*direct            takes it",
        "KiB",
        "direct is the first to take it; 5 before it do not",
    ] {
        assert!(out.contains(part), "'{part}' should be in {out}");
    }
    let mut command = place.command("bench conv --explain --seconds 0.001 --json --shape");
    let run = Run::from(command.arg("n1h6w5c2 oc3 k3").output().unwrap()).succeeded();
    let lines: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert_eq!(line["layer"], "n1h6w5c2 oc3 k3x3 s1x1 d1x1 pvalid g1");
        let entries = line["algorithms"].as_array().unwrap();
        let of = |name: &str| entries.iter().find(|entry| entry["algorithm"] == name).unwrap();
        assert!(of("im2col+gemm")["ms"].as_f64().unwrap() > 0.0, "{line}");
        assert_eq!(
            (&of("depthwise")["answer"], &of("depthwise")["ms"]),
            (&"declines".into(), &serde_json::Value::Null)
        );
        assert!(line["behind"].as_f64().unwrap() >= 1.0 && line["picked"] == "direct", "{line}");
    }
    let run = place.run("bench conv --explain --shape n1h6w5c2 --seconds 0");
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("in which 'oc' is wrong or missing"), "{}", run.err);
}

#[test]
fn bench_conv_judges_the_rule() {
    let place = Place::new();
    let run = place.run("bench conv --rule 2 --seed 3 --seconds 0.001 --json").succeeded();
    let lines: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2 * 3 + 1);
    assert_eq!((&lines[6]["choices"], &lines[6]["seed"]), (&6.into(), &3.into()));
    assert!(run.err.contains("of 6 picks are more than 10 % behind the best algorithm"), "{}", run.err);
    let again = place.run("bench conv --rule 2 --seed 3 --seconds 0.001 --json").succeeded();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(again.out.lines().next().unwrap()).unwrap()["layer"],
        lines[0]["layer"]
    );
}

#[test]
fn bench_pool_measures_beside_a_walk() {
    let place = Place::new();
    let run = place.run("bench pool --only alexnet --batch 1 --seconds 0 --json").succeeded();
    let lines: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let passes: Vec<&str> = lines.iter().map(|line| line["pass"].as_str().unwrap()).collect();
    assert_eq!(passes, ["max forward", "max backward", "average forward", "average backward"]);
    for line in &lines {
        assert_eq!(line["spec"], serde_json::json!([1, 55, 55, 96, 3, 2, 0]));
        assert!(line["ms"].as_f64().unwrap() > 0.0 && line["ratio"].as_f64().unwrap() > 0.0, "{line}");
    }
    assert!(run.err.contains("1 x 55x55x96, 3x3, stride 2"), "{}", run.err);
}

#[test]
fn bench_infer_prints_a_line_per_batch_size() {
    let place = Place::new();
    let run =
        place.run("bench infer --model network.json --batch 3 --batch 1 --seconds 0 --threads 1 --json").succeeded();
    let lines: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["batch"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 1]);
    for line in &lines {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["images_per_s", "ms_per_call", "precision", "threads", "batch"]);
        assert!(line["images_per_s"].as_f64().unwrap() > 0.0, "{line}");
    }
    assert!(run.err.contains("ms per call of 1 image;"), "{}", run.err);
}

#[test]
fn bench_step_measures_real_and_made_up_images() {
    let place = Place::new();
    for (arguments, source) in [
        ("bench step --model network.json --data data --batch 8 --steps 2 --threads 1 --json", "real images"),
        ("bench step --model network.json --batch 8 --steps 2 --threads 1 --json", "made-up images"),
    ] {
        let run = place.run(arguments).succeeded();
        let json = run.json();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["images_per_s", "precision", "threads", "batch", "parameters", "first_step_s"]);
        assert_eq!((&json["threads"], &json["batch"]), (&1.into(), &8.into()));
        assert!(run.err.contains(source), "{}", run.err);
    }
}

#[test]
fn profile_shows_where_a_step_spends_its_time() {
    let place = Place::new();
    let run =
        place.run("profile --model network.json --batch 8 --steps 3 --threads 1 --html page.html --json").succeeded();
    let json = run.json();
    let rows = json["rows"].as_array().unwrap();
    let shares: f64 = rows.iter().map(|row| row["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 0.02, "all rows together are the step: {shares}");
    for part in ["gather", "forward", "grad_weight", "update"] {
        assert!(rows.iter().any(|row| row["part"] == part), "{part}: {json}");
    }
    assert!(json["roofline"]["gflops"].as_f64().unwrap() > 0.0);
    for text in ["ms per step of 8 images", "of roofline", "page.html"] {
        assert!(run.err.contains(text), "{text}: {}", run.err);
    }
    let page = std::fs::read_to_string(place.path("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("everything else"));
}
