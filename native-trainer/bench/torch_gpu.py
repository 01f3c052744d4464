"""PyTorch on a card for `bert-xml bench pretrain|finetune|predict` to be measured beside: the same model, dropout, shapes
and precision, twice.

    bert-xml --device cuda bench train --size small --seq 512,1024 --batch 32 --precision bf16 \\
        --peer "python3 native-trainer/bench/torch_gpu.py --mode eager" \\
        --peer "python3 native-trainer/bench/torch_gpu.py --mode compiled"

`--mode eager` is the model as it is written, attention in its three parts (scores, softmax, product), as burn computes
it under autodiff. `--mode compiled` is PyTorch at its best: scaled_dot_product_attention and torch.compile. bf16 is
autocast, with weights, optimizer, softmax, LayerNorm and losses in f32. torch_peer.py has the model and the protocol.
"""

import contextlib

import torch

import torch_peer as peer


def attention_in_parts(q, k, v, dropout):
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    weights = scores.float().softmax(-1).to(q.dtype)
    return torch.nn.functional.dropout(weights, dropout) @ v


def main():
    parser = peer.arguments(__doc__, ("pretrain", "finetune", "predict"))
    parser.add_argument("--mode", choices=("eager", "compiled"), default="compiled")
    of = parser.parse_args()
    if of.mode == "eager":
        peer.Layer.attend = staticmethod(attention_in_parts)
    step = peer.Step(of)
    compiled = torch.compile if of.mode == "compiled" else lambda function: function

    def numbers():
        if of.precision == "bf16":
            return torch.autocast(of.device, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    if of.what == "predict":
        step.encoder.eval()
        probabilities = compiled(lambda ids, segments: step.head(step.encoder(ids, segments)).float().sigmoid())

        def predict():
            with torch.no_grad(), numbers():
                probabilities(step.ids.to(of.device), step.segments.to(of.device)).cpu()

        return peer.answer(predict)

    inner = compiled(step.loss)

    def loss(ids, segments):
        with numbers():
            return inner(ids, segments)

    def train():
        step.train(loss)
        if of.device == "cuda":
            torch.cuda.synchronize()

    return peer.answer(train)


if __name__ == "__main__":
    main()
