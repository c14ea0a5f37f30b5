import protobuf from "protobufjs"

/** The part of onnx.proto (onnx/onnx, IR version 8) that a graph of float tensors needs. */
const schema = `
  syntax = "proto3";
  package onnx;

  message ModelProto {
    int64 ir_version = 1;
    GraphProto graph = 7;
    repeated OperatorSetIdProto opset_import = 8;
  }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message GraphProto {
    repeated NodeProto node = 1;
    string name = 2;
    repeated ValueInfoProto input = 11;
    repeated ValueInfoProto output = 12;
  }
  message NodeProto {
    repeated string input = 1;
    repeated string output = 2;
    string op_type = 4;
    repeated AttributeProto attribute = 5;
  }
  message AttributeProto {
    enum AttributeType { UNDEFINED = 0; FLOAT = 1; INT = 2; INTS = 7; }
    string name = 1;
    float f = 2;
    int64 i = 3;
    repeated int64 ints = 8;
    AttributeType type = 20;
  }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message TypeProto {
    message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; }
    Tensor tensor_type = 1;
  }
  message TensorShapeProto {
    message Dimension { int64 dim_value = 1; }
    repeated Dimension dim = 1;
  }
`
const modelProto = protobuf.parse(schema, { keepCase: true }).root.lookupType("onnx.ModelProto")
const float = 1

/** A node of a graph: an operator and the names of what it takes and gives. */
interface Node {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Numbers are floats; `{ int }` and arrays are integers. */
  readonly attributes?: Readonly<Record<string, number | { readonly int: number } | readonly number[]>>
}

/** A graph of float tensors. */
export interface Graph {
  /** The version of ONNX's operators. */
  readonly opset: number
  readonly nodes: readonly Node[]
  /** Names and shapes. */
  readonly inputs: Readonly<Record<string, readonly number[]>>
  readonly outputs: readonly string[]
}

function attribute([name, value]: [string, number | { readonly int: number } | readonly number[]]) {
  if (typeof value === "number") return { name, f: value, type: 1 }
  return "int" in value ? { name, i: value.int, type: 2 } : { name, ints: value, type: 7 }
}

/** The bytes of an .onnx file. */
export function modelOf({ opset, nodes, inputs, outputs }: Graph): Uint8Array {
  const model = {
    ir_version: 8,
    opset_import: [{ domain: "", version: opset }],
    graph: {
      name: "graph",
      node: nodes.map(({ operator, inputs, outputs, attributes = {} }) => ({
        input: inputs,
        output: outputs,
        op_type: operator,
        attribute: Object.entries(attributes).map(attribute),
      })),
      input: Object.entries(inputs).map(([name, shape]) => ({
        name,
        type: { tensor_type: { elem_type: float, shape: { dim: shape.map((size) => ({ dim_value: size })) } } },
      })),
      output: outputs.map((name) => ({ name, type: { tensor_type: { elem_type: float } } })),
    },
  }
  const fault = modelProto.verify(model)
  if (fault) throw new Error(fault)
  return modelProto.encode(model).finish()
}
