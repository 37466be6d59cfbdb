//! The schema of Functional models: layers, each with its calls, and for each call the outputs that it takes.
//!
//! An output is named by its history: layer, number of the call, number of the output. Layers here have one output.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use stampnet_autograd::Precision;
use stampnet_tensor::Shape;

use super::layer::{self, write_input};
use super::{OBJECT, PLACE, at, batch_shape, list_at, refused, sample_shape, text_at};
use crate::Layer;
use crate::config::{ConfigError, check_spelling, suggestion};
use crate::handle::{Described, Named, label};
use crate::model::{Draft, DraftNode, Form, Graph, GraphLayer, NodeSource, Source};

/// The graph as Keras writes it.
pub(super) fn write(graph: &Graph) -> Value {
    let layers: Vec<Value> = graph.listing.iter().map(|&node| write_layer(graph, node)).collect();
    let end = |node: usize| {
        let before = graph.layer(node).map_or(0, |layer| calls_before(&*layer.named.layer));
        json!([graph.name_of(node), graph.call_index(node) + before, 0])
    };
    let ends = |nodes: &[usize]| match nodes {
        [one] => end(*one),
        several => several.iter().map(|&node| end(node)).collect(),
    };
    json!({
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": graph.name,
            "trainable": true,
            "layers": layers,
            "input_layers": ends(&graph.inputs),
            "output_layers": ends(&graph.outputs),
        },
        "registered_name": "Functional",
    })
}

/// Keras counts the making of a Functional model as a call of it, but only where it lists inputs and outputs.
fn calls_before(layer: &dyn Layer) -> usize {
    usize::from(layer.as_model().is_some_and(|model| model.graph.form == Form::Functional))
}

/// The layer or input that computes `node`, with all its calls.
fn write_layer(graph: &Graph, node: usize) -> Value {
    let (mut entry, calls) = match &graph.nodes[node].source {
        NodeSource::Input(name) => (write_input(name, &graph.nodes[node].output), Vec::new()),
        NodeSource::Layer(call) => {
            let GraphLayer { named, calls, .. } = &graph.layers[call.layer];
            let entry = layer::write(named);
            (entry, calls.iter().map(|&call| write_call(graph, call)).collect())
        }
    };
    entry["name"] = graph.name_of(node).into();
    entry["inbound_nodes"] = calls.into();
    entry
}

/// A call: one tensor, or a list of them where a layer merges.
fn write_call(graph: &Graph, call: usize) -> Value {
    let tensor = |&node: &usize| {
        json!({
            "class_name": "__keras_tensor__",
            "config": {
                "shape": batch_shape(&graph.nodes[node].output),
                "dtype": graph.layer(node).map_or(Precision::Float32, |layer| layer.named.precision).values(),
                "keras_history": history(graph, node),
            },
        })
    };
    let argument = match &graph.nodes[call].inputs[..] {
        [one] => tensor(one),
        several => several.iter().map(tensor).collect(),
    };
    json!({"args": [argument], "kwargs": {}})
}

fn history(graph: &Graph, node: usize) -> Value {
    json!([graph.name_of(node), graph.call_index(node), 0])
}

/// Reads the config of a document of this class.
pub(super) fn read(config: &Value) -> Result<Draft, ConfigError> {
    let mut entries = Vec::new();
    for (i, entry) in list_at(config, "layers", PLACE)?.iter().enumerate() {
        let place = format!("layer {i} of the model config");
        check_spelling(entry, &OBJECT, &place)?;
        entries.push(Entry::read(entry, &place)?);
    }
    let names: HashMap<&str, usize> = (0..).zip(&entries).map(|(i, entry)| (entry.name.as_str(), i)).collect();
    let links = Links { names, entries: &entries };
    let nodes = links.order()?;
    let ends = |key: &str| -> Result<Vec<usize>, ConfigError> {
        let mut histories = histories_at(config, key)?;
        for history in &mut histories {
            let entry = links.names.get(history.layer.as_str()).map(|&entry| &entries[entry]);
            history.call = history.call.saturating_sub(entry.map_or(0, Entry::calls_before));
        }
        histories.iter().map(|history| Ok(nodes.places[&links.find(history, PLACE)?])).collect()
    };
    let name = config.get("name").and_then(Value::as_str).unwrap_or("functional").to_owned();
    let (inputs, outputs) = (ends("input_layers")?, ends("output_layers")?);
    let (nodes, layers) = (nodes.nodes, nodes.layers);
    Ok(Draft { name, form: Form::Functional, layers, nodes, inputs, outputs })
}

/// A layer or an input of the document.
struct Entry {
    name: String,
    /// Name and class.
    place: String,
    what: What,
    /// For each call, what it takes.
    calls: Vec<Vec<History>>,
}

enum What {
    Input(Shape),
    Layer(Named),
}

/// The output of a call.
struct History {
    layer: String,
    call: usize,
}

impl Entry {
    fn read(entry: &Value, place: &str) -> Result<Self, ConfigError> {
        let class = text_at(entry, "class_name", place)?;
        let config = at(entry, "config", place)?;
        let name = match entry.get("name") {
            Some(_) => text_at(entry, "name", place)?,
            None => text_at(config, "name", place)?,
        };
        let place = label(name, class);
        // Operators on symbols are operations, not layers; these mean the same.
        let module = entry.get("module").and_then(Value::as_str).unwrap_or_default();
        if module.starts_with("keras.src.ops") && !["Add", "Maximum", "Multiply"].contains(&class) {
            let hint = "; of operations, there are Add, Maximum and Multiply".to_owned();
            return Err(ConfigError::UnknownLayer { place, class: format!("{module}.{class}"), hint });
        }
        let what = if class == "InputLayer" {
            let shape = sample_shape(config, &["batch_shape", "batch_input_shape"], &place)?;
            let dims =
                shape.ok_or_else(|| at(config, "batch_shape", &place).err().unwrap_or(ConfigError::NoInputShape))?;
            let refusal =
                || refused(&place, "batch_shape", "a shape with elements that fits into memory", &json!(dims));
            What::Input(Shape::new(&dims).ok().filter(|shape| !shape.is_empty()).ok_or_else(refusal)?)
        } else {
            What::Layer(layer::read(class, name, config)?)
        };
        let calls = list_at(entry, "inbound_nodes", &place)?;
        let calls = calls.iter().map(|call| read_call(call, &place)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { name: name.to_owned(), place, what, calls })
    }

    /// Calls that Keras counts as if they came before the first one, where it lists inputs and outputs of a model.
    fn calls_before(&self) -> usize {
        match &self.what {
            What::Input(_) => 0,
            What::Layer(named) => calls_before(&*named.layer),
        }
    }

    /// How many outputs it has; an input has one.
    fn outputs(&self) -> usize {
        if matches!(self.what, What::Input(_)) { 1 } else { self.calls.len() }
    }
}

/// What a call takes, in order.
fn read_call(call: &Value, place: &str) -> Result<Vec<History>, ConfigError> {
    let mut found = Vec::new();
    // Keras 2 wrote a list of histories, each with the call's other arguments.
    if let Some(list) = call.as_array() {
        for item in list {
            found.push(read_history(item, place, "inbound_nodes")?);
            check_arguments(item.get(3), place)?;
        }
    } else {
        collect_tensors(at(call, "args", place)?, place, &mut found)?;
        check_arguments(call.get("kwargs"), place)?;
    }
    if found.is_empty() {
        return Err(refused(place, "inbound_nodes", "a call with at least one tensor", call));
    }
    Ok(found)
}

/// Finds the tensors among positional arguments, which may be lists.
fn collect_tensors(value: &Value, place: &str, found: &mut Vec<History>) -> Result<(), ConfigError> {
    if let Some(list) = value.as_array() {
        return list.iter().try_for_each(|item| collect_tensors(item, place, found));
    }
    if value.get("class_name").and_then(Value::as_str) != Some("__keras_tensor__") {
        return Err(refused(place, "args", "tensors, or a list of them", value));
    }
    let config = at(value, "config", place)?;
    found.push(read_history(at(config, "keras_history", place)?, place, "keras_history")?);
    Ok(())
}

/// Keywords of a call change what it computes, unless they are left at their defaults.
fn check_arguments(arguments: Option<&Value>, place: &str) -> Result<(), ConfigError> {
    let none = Map::new();
    let arguments = arguments.and_then(Value::as_object).unwrap_or(&none);
    let is_default = |key: &str, value: &Value| value.is_null() || (key == "training" && *value == false);
    match arguments.iter().find(|(key, value)| !is_default(key, value)) {
        Some((key, value)) => Err(refused(place, key, "left out of calls", value)),
        None => Ok(()),
    }
}

/// `[layer, call, output]`.
fn read_history(value: &Value, place: &str, key: &str) -> Result<History, ConfigError> {
    let expected = "[layer, number of the call, 0]";
    let read = || {
        let [layer, call, output, ..] = value.as_array()?.as_slice() else { return None };
        let call = usize::try_from(call.as_u64()?).ok()?;
        (output.as_u64()? == 0).then(|| Some(History { layer: layer.as_str()?.to_owned(), call }))?
    };
    read().ok_or_else(|| refused(place, key, expected, value))
}

/// The model's inputs or outputs: one history, a list of them, or a dictionary.
fn histories_at(config: &Value, key: &str) -> Result<Vec<History>, ConfigError> {
    let value = at(config, key, PLACE)?;
    let read = |value| read_history(value, PLACE, key);
    match value {
        Value::Array(list) if list.first().is_some_and(Value::is_string) => Ok(vec![read(value)?]),
        Value::Array(list) => list.iter().map(read).collect(),
        Value::Object(named) => named.values().map(read).collect(),
        _ => Err(refused(PLACE, key, "a list", value)),
    }
}

/// Who takes whose output.
struct Links<'a> {
    names: HashMap<&'a str, usize>,
    entries: &'a [Entry],
}

/// A call: entry and number.
type Place = (usize, usize);

/// The document's calls and inputs, each behind what it takes.
struct Ordered {
    nodes: Vec<DraftNode>,
    layers: Vec<Described>,
    /// Which node a call is.
    places: HashMap<Place, usize>,
}

impl Links<'_> {
    /// The call that a history names.
    fn find(&self, history: &History, place: &str) -> Result<Place, ConfigError> {
        let History { layer, call } = history;
        let Some(&entry) = self.names.get(layer.as_str()) else {
            let hint = suggestion(layer, self.entries.iter().map(|entry| entry.name.as_str()));
            return Err(ConfigError::NoSuchLayer { place: place.to_owned(), layer: layer.clone(), hint });
        };
        let calls = self.entries[entry].outputs();
        if *call >= calls {
            return Err(ConfigError::NoSuchCall { place: place.to_owned(), layer: layer.clone(), call: *call, calls });
        }
        Ok((entry, *call))
    }

    /// What has to come before a call: what it takes, and the layer's call before it.
    fn needs(&self, (entry, call): Place) -> Result<Vec<Place>, ConfigError> {
        let Entry { place, calls, .. } = &self.entries[entry];
        let mut needs = Vec::new();
        if let Some(inputs) = calls.get(call) {
            for history in inputs {
                needs.push(self.find(history, place)?);
            }
        }
        if call > 0 {
            needs.push((entry, call - 1));
        }
        Ok(needs)
    }

    /// Orders all calls, beginning with the first one; a call is put behind what it needs.
    fn order(&self) -> Result<Ordered, ConfigError> {
        let mut ordered = Ordered { nodes: Vec::new(), layers: Vec::new(), places: HashMap::new() };
        let mut layers = vec![None; self.entries.len()];
        // Calls on the way, each with what it needs still.
        let mut way: Vec<(Place, Vec<Place>)> = Vec::new();
        let mut is_on_way = HashSet::new();
        for start in
            (0..self.entries.len()).flat_map(|entry| (0..self.entries[entry].outputs()).map(move |i| (entry, i)))
        {
            if !ordered.places.contains_key(&start) {
                is_on_way.insert(start);
                way.push((start, self.needs(start)?));
            }
            while let Some((place, needs)) = way.last_mut() {
                let place = *place;
                match needs.pop() {
                    Some(need) if ordered.places.contains_key(&need) => {}
                    Some(need) => {
                        if !is_on_way.insert(need) {
                            return Err(ConfigError::Cycle { place: self.entries[need.0].place.clone() });
                        }
                        way.push((need, self.needs(need)?));
                    }
                    None => {
                        self.append(place, &mut layers, &mut ordered)?;
                        way.pop();
                    }
                }
            }
        }
        Ok(ordered)
    }

    /// Adds a call whose inputs are there.
    fn append(&self, at: Place, layers: &mut [Option<usize>], ordered: &mut Ordered) -> Result<(), ConfigError> {
        let Entry { name, place, what, calls } = &self.entries[at.0];
        let (source, inputs) = match what {
            What::Input(shape) => (Source::Input { name: Some(name.clone()), shape: *shape }, Vec::new()),
            What::Layer(Named { trainable, precision, layer, .. }) => {
                let position = *layers[at.0].get_or_insert_with(|| {
                    let (name, layer) = (Some(name.clone()), layer.clone());
                    ordered.layers.push(Described { name, trainable: *trainable, precision: *precision, layer });
                    ordered.layers.len() - 1
                });
                let inputs = calls[at.1].iter().map(|history| Ok(ordered.places[&self.find(history, place)?]));
                (Source::Layer(position), inputs.collect::<Result<Vec<_>, ConfigError>>()?)
            }
        };
        ordered.places.insert(at, ordered.nodes.len());
        ordered.nodes.push(DraftNode { source, inputs });
        Ok(())
    }
}
