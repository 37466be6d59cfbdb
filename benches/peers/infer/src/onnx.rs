//! The networks to run, as ONNX models: one layer, or the whole network.
//!
//! The format is that of Protocol Buffers, <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>: the numbers of
//! fields below are from there.

use crate::protocol::{Layer, Result, numbers};

/// A model of one input and one output.
pub struct Network {
    /// The file.
    pub bytes: Vec<u8>,
    pub input: Vec<usize>,
}

/// The network that `layer` asks for.
pub fn network(layer: &Layer) -> Result<Network> {
    match (layer.op.as_str(), layer.spec.as_slice()) {
        ("conv", &[n, h, w, c, oc, k, stride, pad, groups]) => {
            let mut graph = Graph::new(&[n, c, h, w]);
            graph.conv(&[oc, c / groups, k, k], [stride, pad, groups]);
            Ok(graph.end())
        }
        ("max_pool" | "avg_pool", &[n, h, w, c, k, stride, pad]) => {
            let mut graph = Graph::new(&[n, c, h, w]);
            let op = if layer.op == "max_pool" { "MaxPool" } else { "AveragePool" };
            graph.pool(op, [k, stride, pad]);
            Ok(graph.end())
        }
        ("model", &[batch, _]) => Ok(whole(batch)),
        (op, spec) => Err(format!("no such op: '{op}' with {spec:?}").into()),
    }
}

fn whole(batch: usize) -> Network {
    let mut graph = Graph::new(&[batch, 1, 28, 28]);
    for dims in [[32, 1, 3, 3], [64, 32, 3, 3]] {
        graph.conv(&dims, [1, 1, 1]);
        graph.node("Relu", &[], &[]);
        graph.pool("MaxPool", [2, 2, 0]);
    }
    graph.node("Flatten", &[], &[]);
    graph.dense(3136, 100);
    graph.node("Relu", &[], &[]);
    graph.dense(100, 10);
    graph.end()
}

/// A chain of nodes: each takes what the one before gave.
struct Graph {
    input: Vec<usize>,
    graph: Message,
    last: String,
}

impl Graph {
    fn new(input: &[usize]) -> Self {
        let graph = Message::default().text(2, "network").message(11, array("input", Some(input)));
        Self { input: input.to_vec(), graph, last: "input".into() }
    }

    fn conv(&mut self, dims: &[usize; 4], [stride, pad, groups]: [usize; 3]) {
        let [oc, _, kh, kw] = *dims;
        let attributes = [
            integers("kernel_shape", &[kh, kw]),
            integers("strides", &[stride; 2]),
            integers("pads", &[pad; 4]),
            Message::default().text(1, "group").number(3, groups).number(20, 2),
        ];
        self.node("Conv", &[dims, &[oc]], &attributes);
    }

    fn pool(&mut self, op: &str, [k, stride, pad]: [usize; 3]) {
        let attributes =
            [integers("kernel_shape", &[k; 2]), integers("strides", &[stride; 2]), integers("pads", &[pad; 4])];
        self.node(op, &[], &attributes);
    }

    fn dense(&mut self, inputs: usize, outputs: usize) {
        self.node("Gemm", &[&[inputs, outputs], &[outputs]], &[]);
    }

    /// A node with weights of these shapes.
    fn node(&mut self, op: &str, weights: &[&[usize]], attributes: &[Message]) {
        let output = format!("{}_{op}", self.last);
        let mut node = Message::default().text(3, &output).text(4, op).text(2, &output).text(1, &self.last);
        for (i, dims) in weights.iter().enumerate() {
            let name = format!("{output}_{i}");
            let values: Vec<u8> = numbers(dims.iter().product()).iter().flat_map(|x| x.to_le_bytes()).collect();
            let tensor = dims.iter().fold(Message::default(), |tensor, &dim| tensor.number(1, dim));
            self.graph.add_message(5, &tensor.number(2, FLOAT).text(8, &name).bytes(9, &values));
            node = node.text(1, &name);
        }
        for attribute in attributes {
            node.add_message(5, attribute);
        }
        self.graph.add_message(1, &node);
        self.last = output;
    }

    fn end(self) -> Network {
        let graph = self.graph.message(12, array(&self.last, None));
        let operators = Message::default().text(1, "").number(2, 17);
        let model = Message::default().number(1, 8).message(7, graph).message(8, operators);
        Network { bytes: model.0, input: self.input }
    }
}

/// The type of 32-bit numbers.
const FLOAT: usize = 1;

fn integers(name: &str, values: &[usize]) -> Message {
    values.iter().fold(Message::default().text(1, name), |list, &value| list.number(8, value)).number(20, 7)
}

/// The description of an array; without `dims` of any shape.
fn array(name: &str, dims: Option<&[usize]>) -> Message {
    let mut tensor = Message::default().number(1, FLOAT);
    if let Some(dims) = dims {
        let dimensions =
            dims.iter().fold(Message::default(), |all, &dim| all.message(1, Message::default().number(1, dim)));
        tensor = tensor.message(2, dimensions);
    }
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

/// A message that is written field by field.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(mut self, field: usize, value: usize) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: usize, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: usize, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: usize, message: Message) -> Self {
        self.bytes(field, &message.0)
    }

    fn add_message(&mut self, field: usize, message: &Message) {
        *self = std::mem::take(self).bytes(field, &message.0);
    }

    /// Seven bits a byte, lowest first; all but the last have the high bit set.
    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}
