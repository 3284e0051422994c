//! One training step against PyTorch's numbers, and the folders against what `transformers` writes.

mod support;

use distil_train::model::{Model, ModelFolder, save};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;
use support::{Case, shared, train};

fn tensors(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f64>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats =
        |data: &[u8]| data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect();
    file.tensors().into_iter().map(|(name, view)| (name, (view.shape().to_vec(), floats(view.data())))).collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn losses_and_gradients_equal_pytorch() {
    for name in ["case-a", "case-b"] {
        let Some(folder) = shared(&format!("golden/{name}")) else {
            return;
        };
        let case = Case::read(&folder);
        let out = tempfile::tempdir().unwrap();
        let gradients = out.path().join("gradients.safetensors");
        let stdout = train(&[
            "step",
            "--json",
            "--teacher",
            folder.join("teacher").to_str().unwrap(),
            "--student",
            folder.join("student").to_str().unwrap(),
            "--batch",
            folder.join("batch.safetensors").to_str().unwrap(),
            "--gradients",
            gradients.to_str().unwrap(),
            "--temperature",
            &case.text("temperature"),
            "--alpha-ce",
            &case.text("alpha_ce"),
            "--alpha-mlm",
            &case.text("alpha_mlm"),
            "--alpha-cos",
            &case.text("alpha_cos"),
        ]);
        let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        for key in ["loss_ce", "loss_mlm", "loss_cos", "loss"] {
            let (mine, exact) = (printed[key].as_f64().unwrap(), case.number(key));
            assert!((mine - exact).abs() <= 1e-5 * exact.abs(), "{name} {key}: {mine}, not {exact}");
        }
        let expected = tensors(&folder.join("student_gradients.safetensors"));
        let mine = tensors(&gradients);
        assert!(mine.keys().eq(expected.keys()), "{name}: other gradient names");
        let mut worst = (0.0, "");
        for (tensor, (shape, exact)) in &expected {
            let (my_shape, values) = &mine[tensor];
            assert_eq!(my_shape, shape, "{name} {tensor}");
            if tensor.ends_with("k_lin.bias") {
                // Zero in exact arithmetic: softmax does not see a shift of the keys.
                let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
                assert!(largest < 1e-6, "{name} {tensor}: {largest}");
                continue;
            }
            let error = norm(values.iter().zip(exact).map(|(a, b)| a - b));
            let relative = error / norm(exact.iter().copied());
            assert!(relative < 1e-4, "{name} {tensor}: {relative}");
            if relative > worst.0 {
                worst = (relative, tensor);
            }
        }
        eprintln!("{name}: worst relative gradient error {:e} ({})", worst.0, worst.1);
    }
}

#[test]
fn saved_folders_have_the_names_and_metadata_of_transformers() {
    let Some(golden) = shared("golden/case-a") else {
        return;
    };
    for kind in ["teacher", "student"] {
        let folder = ModelFolder::open(&golden.join(kind)).unwrap();
        let parameters = folder.parameters(&candle_core::Device::Cpu).unwrap();
        let out = tempfile::tempdir().unwrap();
        save(out.path(), &folder.config, &parameters, None, true).unwrap();
        let path = |root: &Path| root.join("model.safetensors");
        // Same names, shapes and values.
        assert_eq!(tensors(&path(out.path())), tensors(&path(&golden.join(kind))));
        let bytes = std::fs::read(path(out.path())).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
        let json = |root: &Path| -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(root.join("config.json")).unwrap()).unwrap()
        };
        let (mine, theirs) = (json(out.path()), json(&golden.join(kind)));
        for (key, value) in mine.as_object().unwrap() {
            assert_eq!(value, &theirs[key], "{kind} {key}");
        }
    }
}

#[test]
fn old_names_and_missing_prefixes_load() {
    let Some(golden) = shared("golden/case-a") else {
        return;
    };
    for (kind, prefix) in [("teacher", "bert."), ("student", "distilbert.")] {
        let original = std::fs::read(golden.join(kind).join("model.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&original).unwrap();
        let renamed = file.tensors().into_iter().map(|(name, view)| {
            let name = name.strip_prefix(prefix).unwrap_or(&name).to_string();
            let norm = name.contains("LayerNorm") || name.contains("layer_norm");
            let name = if norm { name.replace(".weight", ".gamma").replace(".bias", ".beta") } else { name };
            (name, view)
        });
        let out = tempfile::tempdir().unwrap();
        let bytes = safetensors::serialize(renamed, None).unwrap();
        std::fs::write(out.path().join("model.safetensors"), bytes).unwrap();
        std::fs::copy(golden.join(kind).join("config.json"), out.path().join("config.json")).unwrap();
        let load = |path: &Path| {
            let folder = ModelFolder::open(path).unwrap();
            let parameters = folder.parameters(&candle_core::Device::Cpu).unwrap();
            let model = Model::new(folder.config, parameters, candle_core::DType::F32).unwrap();
            let values = model.parameters.all().into_values();
            values.map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(load(out.path()), load(&golden.join(kind)));
    }
}
