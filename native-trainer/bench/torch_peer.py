"""PyTorch's training step for `bert-xml bench pretrain` and `bert-xml bench finetune` to be measured beside.

    pip install torch numpy
    bert-xml bench finetune --size mini --peer "python3 native-trainer/bench/torch_peer.py"

The bench starts it with `--what --device --threads --precision --attention-dropout --size --seq --batch --labels` and
writes a line for every step; the answer is a line `WALL_MS CPU_MS`; it ends when its input ends. Talk goes to standard
error. This is the peer on a CPU in f32; torch_gpu.py is the one on a card.

The model is the bench's: BERT with dropout .1, erf GELU and post-LayerNorm; for fine-tuning label attention with W_b and
W_a over all word pieces and a binary cross-entropy; for pretraining the masked tokens' decoder tied to the word
embeddings, a pooler and the next-segment classes. A step is forward, backward, gradients clipped at norm 1, and AdamW,
as PyTorch does it best: fused attention, the optimizer's fused loops, memory reused.
"""

import argparse
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

VOCAB, POSITIONS, DROPOUT = 20_000, 1024, 0.1
# Width, layers, heads, width of the feed-forward layer.
SIZES = {
    "tiny": (128, 2, 2, 512),
    "mini": (256, 4, 4, 1024),
    "small": (512, 8, 8, 2048),
    "big": (768, 12, 12, 3072),
}
CLS, SEP, MASK = 2, 3, 4


def fused_attention(q, k, v, dropout):
    return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)


class Layer(nn.Module):
    # Of all layers: what computes attention, and the dropout of its weights.
    attend, attention_dropout = staticmethod(fused_attention), DROPOUT

    def __init__(self, d, heads, wide):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(d, d) for _ in range(4))
        self.inner, self.outer = nn.Linear(d, wide), nn.Linear(wide, d)
        self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-12), nn.LayerNorm(d, eps=1e-12)

    def forward(self, x):
        batch, seq, d = x.shape
        q, k, v = (
            linear(x).view(batch, seq, self.heads, -1).transpose(1, 2) for linear in (self.query, self.key, self.value)
        )
        context = self.attend(q, k, v, self.attention_dropout if self.training else 0.0)
        context = self.output(context.transpose(1, 2).reshape(batch, seq, d))
        x = self.norm1(x + F.dropout(context, DROPOUT, self.training))
        return self.norm2(x + F.dropout(self.outer(F.gelu(self.inner(x))), DROPOUT, self.training))


class Encoder(nn.Module):
    def __init__(self, d, layers, heads, wide):
        super().__init__()
        self.word, self.position, self.segment = nn.Embedding(VOCAB, d), nn.Embedding(POSITIONS, d), nn.Embedding(2, d)
        self.norm = nn.LayerNorm(d, eps=1e-12)
        self.layers = nn.ModuleList(Layer(d, heads, wide) for _ in range(layers))

    def forward(self, ids, segments):
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.word(ids) + self.segment(segments) + self.position(positions)
        x = F.dropout(self.norm(x), DROPOUT, self.training)
        for layer in self.layers:
            x = layer(x)
        return x


class Xml(nn.Module):
    """Label attention (paper, eqs. 2-4)."""

    def __init__(self, d, labels):
        super().__init__()
        self.labels = nn.Parameter(torch.randn(labels, d) * 0.02)
        self.hidden, self.output = nn.Linear(d, d, bias=False), nn.Linear(d, 1, bias=False)

    def forward(self, hidden):
        tokens = hidden[:, 1:-1]
        attention = (self.labels @ tokens.transpose(1, 2)).softmax(-1)  # [batch, labels, seq]
        return self.output(torch.relu(self.hidden(attention @ tokens))).squeeze(-1)


class Pretrain(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.transform, self.norm = nn.Linear(d, d), nn.LayerNorm(d, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(VOCAB))
        self.pooler, self.follows = nn.Linear(d, d), nn.Linear(d, 2)

    def forward(self, hidden, word, places):
        masked = self.norm(F.gelu(self.transform(hidden.flatten(0, 1)[places])))
        return masked @ word.T + self.bias, self.follows(torch.tanh(self.pooler(hidden[:, 0])))


def arguments(description, whats):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=whats, required=True)
    parser.add_argument("--size", choices=SIZES, default="mini")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--attention-dropout", type=float, default=DROPOUT)
    for name, default in (("threads", 2), ("seq", 128), ("batch", 8), ("labels", 2292)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser


class Step:
    """The model, what its steps read, and its optimizer."""

    def __init__(self, of):
        torch.manual_seed(1)
        torch.set_num_threads(of.threads)
        Layer.attention_dropout = of.attention_dropout
        d, *rest = SIZES[of.size]
        self.what = of.what
        self.encoder = Encoder(d, *rest).to(of.device)
        self.head = (Pretrain(d) if of.what == "pretrain" else Xml(d, of.labels)).to(of.device)
        ids = torch.randint(5, VOCAB, (of.batch, of.seq))
        ids[:, 0], ids[:, -1] = CLS, SEP
        segments = torch.zeros_like(ids)
        if of.what == "pretrain":
            middle = of.seq // 2
            ids[:, middle - 1], segments[:, middle:] = SEP, 1
            ordinary = (ids.flatten() > MASK).nonzero().squeeze(1)
            places = ordinary[torch.randperm(len(ordinary))[: round(0.15 * len(ordinary))]]
            wanted = ids.flatten()[places]
            ids.view(-1)[places] = MASK
            self.places, self.wanted = places.to(of.device), wanted.to(of.device)
            self.follows = (torch.arange(of.batch) % 2).to(of.device)
        else:
            self.targets = torch.zeros(of.batch, of.labels, device=of.device)
        # As ours, they go to the device in every step.
        self.ids, self.segments, self.device = ids, segments, of.device
        self.every = [*self.encoder.parameters(), *self.head.parameters()]
        decayed = [p for p in self.every if p.dim() > 1]
        plain = [p for p in self.every if p.dim() == 1]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=2e-5, eps=1e-6, fused=True)
        count = sum(p.numel() for p in self.every)
        print(f"torch {torch.__version__}, {count} parameters", file=sys.stderr)

    def loss(self, ids, segments):
        hidden = self.encoder(ids, segments)
        if self.what == "pretrain":
            tokens, pairs = self.head(hidden, self.encoder.word.weight, self.places)
            return F.cross_entropy(tokens.float(), self.wanted) + F.cross_entropy(pairs.float(), self.follows)
        return F.binary_cross_entropy_with_logits(self.head(hidden).float(), self.targets)

    def train(self, loss):
        self.optimizer.zero_grad(set_to_none=True)
        value = loss(self.ids.to(self.device), self.segments.to(self.device))
        value.backward()
        nn.utils.clip_grad_norm_(self.every, 1.0)
        self.optimizer.step()
        return value.item()


def answer(step):
    """A line for every line, until there are no more."""
    for _ in sys.stdin:
        start, start_cpu = time.perf_counter(), time.process_time()
        step()
        print(1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - start_cpu), flush=True)


def main():
    of = arguments(__doc__, ("pretrain", "finetune")).parse_args()
    if (of.device, of.precision) != ("cpu", "f32"):
        sys.exit("torch_peer.py is for the CPU in f32; torch_gpu.py is the peer on a card")
    step = Step(of)
    answer(lambda: step.train(step.loss))


if __name__ == "__main__":
    main()
