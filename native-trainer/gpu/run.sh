#!/usr/bin/env bash
# Everything that is to be known and made on one card, in one call that ends in time and goes on in the next:
#
#   native-trainer/gpu/run.sh BINARY DATA OUT SECONDS
#
# BINARY   bert-xml, built with --features cuda (for a card: --profile dist --features cuda,fusion,autotune)
# DATA     a folder of record files (JSON Lines, also .gz or .zst; any of the fields text, text_en, note, summary,
#          description, qa) for pretraining; what their field `split` calls a test is left out
# OUT      what is worth keeping, most valuable first: figures as JSON, learning curves, weights in pieces of 16 MiB
# SECONDS  how long this call may take; it stops before that, with a checkpoint
#
# Steps: smoke (kernels compile, the device computes what the CPU computes), benches (with PyTorch beside them where
# python3 has it), a corpus of DATA and of a synthetic hospital, its vocabulary, pretraining from scratch, fine-tuning
# with both heads, evaluation on the hospital's test patients, int8. A step that is done is not done again.
#
# Exit codes: 0 all done; 75 time was up, call again with the same words; others: a step failed (WORK/log.txt).
#
# Environment: WORK (default OUT.work: log, corpora, checkpoints, compiled kernels; keep it between calls), DEVICE (cuda),
# PRECISION (bf16), RECIPE (fast), SIZE (small), BENCH_SIZES (SIZE and big), BENCH_SEQ (512,1024), BENCH_BATCH (16 rows; half of them for big),
# BENCH_STEPS (10), PEERS (auto, none), PATIENTS (20000), CODES (1500), NOTES (normal), MORE_THAN (100), VOCAB (20000),
# MAX_LEN (1024), MICRO_BATCH (tokens, by the card's memory), PRETRAIN_OPTIONS and FINETUNE_OPTIONS (more words for both),
# RESERVE (seconds for the end, 45), KEEP_MIB (weights kept at most, 0 for all).
#
# --dry-run in front of the words: the same on the CPU with the smallest sizes; proves the script, says nothing of speed.
set -euo pipefail

if [ "${1:-}" = --dry-run ]; then
    shift
    : "${DEVICE:=cpu}" "${SIZE:=tiny}" "${BENCH_SIZES:=tiny}" "${BENCH_SEQ:=16,32}" "${BENCH_BATCH:=2}" "${BENCH_STEPS:=1}"
    : "${PEERS:=none}" "${PATIENTS:=40}" "${CODES:=12}" "${NOTES:=short}" "${MORE_THAN:=3}" "${VOCAB:=600}"
    : "${MAX_LEN:=64}" "${RESERVE:=2}"
fi
if [ $# != 4 ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2
    exit 2
fi
begin=$(date +%s)
whole() { (cd "$(dirname "$1")" && printf '%s/%s' "$PWD" "$(basename "$1")"); }
bert_xml=$(whole "$1") data=$(whole "$2") out=$(whole "$3") seconds=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${WORK:-$out.work}
: "${DEVICE:=cuda}" "${PRECISION:=bf16}" "${RECIPE:=fast}" "${SIZE:=small}" "${BENCH_SEQ:=512,1024}" "${BENCH_BATCH:=16}"
: "${BENCH_SIZES:=$SIZE big}" "${BENCH_STEPS:=10}" "${PEERS:=auto}" "${PATIENTS:=20000}" "${CODES:=1500}" "${NOTES:=normal}"
: "${MORE_THAN:=100}" "${VOCAB:=20000}" "${MAX_LEN:=1024}" "${PRETRAIN_OPTIONS:=}" "${FINETUNE_OPTIONS:=}"
: "${RESERVE:=45}" "${KEEP_MIB:=0}"
mkdir -p "$out" "$work/figures" "$work/done"
work=$(cd "$work" && pwd)
cd "$work"
# Compiled kernels and what autotune found out, for the next step and the next call.
printf '[environment]\npath = { directory = "%s" }\n' "$work/kernels" > cubecl.toml
log=$work/log.txt

say() { echo "$(( $(date +%s) - begin )) s: $*" | tee -a "$log"; }
left() { echo $(( begin + seconds - RESERVE - $(date +%s) )); }
command_line() { "$bert_xml" --device "$DEVICE" --progress none "$@"; }

child=''
# Somebody else's limit counts as ours.
trap 'seconds=0; [ -z "$child" ] || kill -TERM -- "-$child" 2> /dev/null || true' INT TERM HUP
# Every step in a process group of its own, so that a signal reaches all of it.
set -m

# step NAME COMMAND...: runs the command once, for as long as time is left. The command stops at SIGTERM: training with
# a checkpoint, the others with nothing half-made.
step() {
    local name=$1 status start room watcher
    shift
    if [ -e "done/$name" ]; then return; fi
    room=$(left)
    if [ "$room" -le 0 ]; then finish 75; fi
    say "$name"
    start=$(date +%s)
    # With a trap of its own the shell waits for the command, which may be saving.
    (trap : TERM; "$@") >> "$log" 2>&1 < /dev/null &
    child=$!
    (sleep "$room"; kill -TERM -- "-$child"; sleep $(( RESERVE / 2 + 1 )); kill -KILL -- "-$child") > /dev/null 2>&1 &
    watcher=$!
    while :; do
        status=0
        wait "$child" || status=$?
        kill -0 "$child" 2> /dev/null || break
    done
    child=''
    kill -TERM -- "-$watcher" 2> /dev/null || true
    wait "$watcher" 2> /dev/null || true
    if [ "$status" != 0 ]; then
        if [ "$(left)" -le 0 ]; then finish 75; fi
        say "$name failed ($status):"
        tail -n 5 "$log"
        finish 1
    fi
    echo $(( $(date +%s) - start )) > "done/$name"
}

# finish CODE: gathers what there is, and ends.
finish() {
    trap - INT TERM HUP
    gather || say "gathering failed"
    if [ "$1" = 75 ]; then say "time is up; call again to go on"; fi
    exit "$1"
}

# Figures in one file; curves; weights in pieces, the model first.
gather() {
    local file name first='' archive kept=0 mib
    {
        printf '{'
        for file in figures/*.json; do
            [ -s "$file" ] || continue
            name=$(basename "$file" .json)
            printf '%s\n"%s": ' "$first" "$name"
            cat "$file"
            first=,
        done
        printf '%s\n"seconds": {' "$first"
        first=''
        for file in done/*; do
            [ -e "$file" ] || continue
            printf '%s"%s": %s' "$first" "$(basename "$file")" "$(cat "$file")"
            first=', '
        done
        printf '}}\n'
    } > "$out/1-figures.json.part"
    mv "$out/1-figures.json.part" "$out/1-figures.json"
    {
        echo ./figures
        find . -maxdepth 2 \( -name metrics.jsonl -o -name settings.toml -o -name provenance.json -o -name report.json \)
    } | tar -czf "$out/2-curves.tar.gz" -T -
    rm -f "$out"/[3-9]-*
    for archive in 3-xml-int8 4-cls-int8 5-pretrained/encoder; do
        name=${archive#?-}
        archive=${archive%/*}
        [ -d "$name" ] || continue
        mib=$(( $(du -sm "$name" | cut -f1) + 1 ))
        if [ "$KEEP_MIB" != 0 ] && [ $(( kept + mib )) -gt "$KEEP_MIB" ]; then
            say "$name ($mib MiB) stays in WORK: KEEP_MIB=$KEEP_MIB"
            continue
        fi
        kept=$(( kept + mib ))
        tar -cf - "$name" | split -b 16777216 -d -a 2 - "$out/$archive.tar."
    done
}

machine() {
    local card
    card=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2> /dev/null | head -n 1) || card=''
    printf '{"version": "%s", "device": "%s", "card": "%s", "size": "%s", "precision": "%s", "recipe": "%s", "patients": %s}\n' \
        "$("$bert_xml" --version)" "$DEVICE" "$card" "$SIZE" "$PRECISION" "$RECIPE" "$PATIENTS" > figures/machine.json
}

parity() {
    local fixture=$here/../../tests/fixtures/bert
    if [ -d "$fixture" ]; then
        command_line bench parity --precision "$1" --encoder "$fixture" --json "figures/parity-$1.json"
    else
        command_line bench parity --precision "$1" --json "figures/parity-$1.json"
    fi
}

# In f32 a card may round to fewer bits than the CPU does: told, and no reason to stop.
parity_f32() { parity f32 || [ -s figures/parity-f32.json ]; }

peers=()
has_torch='import sys, torch; sys.exit(sys.argv[1] == "cuda" and not torch.cuda.is_available())'
if [ "$PEERS" = auto ] && python3 -c "$has_torch" "${DEVICE%%:*}" 2> /dev/null; then
    for mode in eager compiled; do peers+=(--peer "python3 $here/../bench/torch_gpu.py --mode $mode"); done
fi

# Beside the peers, else alone. A bench that fails (a card with too little memory, say) is a figure too.
bench() {
    local what=$1 size=$2 rows=$BENCH_BATCH status
    shift 2
    local name=bench-$what-$size${1:+-fast}
    if [ "$size" = big ]; then rows=$(( (rows + 1) / 2 )); fi
    set -- "$@" --size "$size" --seq "$BENCH_SEQ" --batch "$rows" --steps "$BENCH_STEPS" --precision "$PRECISION"
    for beside in ${peers[@]+peers} alone; do
        status=0
        if [ "$beside" = peers ]; then
            command_line bench "$what" "$@" "${peers[@]}" > "$name.part" || status=$?
        else
            command_line bench "$what" "$@" > "$name.part" || status=$?
        fi
        if [ "$status" = 130 ] || [ "$status" = 143 ]; then return "$status"; fi
        if [ "$status" = 0 ]; then break; fi
    done
    if [ "$status" != 0 ]; then printf '{"failed": %s}\n' "$status" > "$name.part"; fi
    mv "$name.part" "figures/$name.json"
}

unpacked() {
    case $1 in
        *.zst) zstdcat "$1" ;;
        *.gz) gzip -dc "$1" ;;
        *) cat "$1" ;;
    esac
}

# All records of DATA with a split each, those of test splits left out. A list of questions and answers becomes text.
texts() {
    find "$data" -type f \( -name '*.jsonl' -o -name '*.jsonl.gz' -o -name '*.jsonl.zst' \) | sort | while read -r file; do
        unpacked "$file"
    done | sed -E \
        -e '/"split": ?"[^"]*[Tt]est/d' \
        -e 's/^\{.*"qa": \[\["(.*)"\]\]\}$/{"text": "\1"}/; t answers; b splits' \
        -e ': answers' -e 's/"\], \["/ /g; s/", "/ /g' \
        -e 't splits' -e ': splits' -e 's/"split": ?"([^"]*[Vv]al|[^"]*[Dd]ev)[^"]*"/"split": "dev"/; t' \
        -e 's/"split": ?"[^"]*"/"split": "train"/; t' \
        -e 's/^\{/{"split": "train", /' > texts.part
    mv texts.part texts.jsonl
}

# Patients of one split, with ids of their own.
patients() {
    local split=$1 seed=$2 count=$3
    "$bert_xml" --progress none --seed "$seed" synth --patients "$count" --codes "$CODES" --length "$NOTES" \
        --out "$split.part.jsonl"
    sed "s/^{/{\"split\":\"$split\",/; s/_id\":\"P/_id\":\"$split-P/g" "$split.part.jsonl" > "$split.part"
    mv "$split.part" "hospital-$split.jsonl"
    rm "$split.part.jsonl"
}

hospital() {
    patients train 1 "$PATIENTS"
    patients dev 2 $(( PATIENTS / 10 + 1 ))
    patients test 3 $(( PATIENTS / 10 + 1 ))
}

corpus() {
    local name=$1
    shift
    "$bert_xml" --progress none prepare --input "$@" --split-field split --unknown-codes drop --more-than "$MORE_THAN" \
        --text-field text,text_en,note,summary,description --out "$name"
}

# Tokens of a micro-batch by the card's memory: `small` keeps 1.8 MB for each, `big` 4.1 MB (train/memory.rs); half of
# the memory stays free.
if [ -z "${MICRO_BATCH:-}" ]; then
    MICRO_BATCH=auto
    mib=$(nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits 2> /dev/null | head -n 1) || mib=''
    if [ "$DEVICE" != cpu ] && [ -n "$mib" ]; then MICRO_BATCH=$(( mib / $([ "$SIZE" = big ] && echo 9 || echo 4) )); fi
fi

resume() { if [ -e "$1/settings.toml" ]; then echo --resume; fi; }

pretrain() {
    # shellcheck disable=SC2046,SC2086
    command_line pretrain --recipe "$RECIPE" --precision "$PRECISION" --size "$SIZE" --max-len "$MAX_LEN" \
        --micro-batch "$MICRO_BATCH" --corpus all --vocab vocab --out pretrained $(resume pretrained) $PRETRAIN_OPTIONS
}

finetune() {
    # shellcheck disable=SC2046,SC2086
    command_line finetune --recipe "$RECIPE" --precision "$PRECISION" --max-len "$MAX_LEN" \
        --micro-batch "$MICRO_BATCH" --head "$1" --corpus hospital --encoder pretrained --out "$1" $(resume "$1") $FINETUNE_OPTIONS
}

evaluate() { command_line evaluate --model "$1" --corpus hospital --json "figures/test-$1.json"; }

export_int8() {
    rm -rf "$1-int8"
    "$bert_xml" --progress none export --quantize int8 --model "$1" --corpus hospital --out "$1-int8"
}

step machine machine
step parity-f32 parity_f32
step parity-$PRECISION parity "$PRECISION"
for size in $BENCH_SIZES; do
    step "bench-train-$size" bench train "$size"
    step "bench-train-$size-fast" bench train "$size" --attention-dropout 0
    step "bench-finetune-$size" bench finetune "$size"
    step "bench-predict-$size" bench predict "$size"
done
step texts texts
step hospital hospital
step corpus-hospital corpus hospital hospital-train.jsonl hospital-dev.jsonl hospital-test.jsonl
step corpus-all corpus all texts.jsonl hospital-train.jsonl hospital-dev.jsonl
step vocab "$bert_xml" --progress none vocab --corpus all --size "$VOCAB" --out vocab
step pretrain pretrain
step finetune-xml finetune xml
step evaluate-xml evaluate xml
step export-xml export_int8 xml
step finetune-cls finetune cls
step evaluate-cls evaluate cls
step export-cls export_int8 cls
say "all done"
finish 0
