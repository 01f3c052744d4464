#!/bin/sh
# Trains the bundled model from public data, step by step. A step whose output exists is skipped, and a training that
# was cut off goes on from its checkpoint: call it again with the same variables.
#
#   CODIESP=codiesp.jsonl.zst SYNONYMS=doid.csv.gz MINILM=folder WORK=folder model/train.sh
#
# CODIESP   CodiEsp v4 as JSON Lines: doc_id, split, text_en, dx (Zenodo 3837305, CC BY 4.0)
# SYNONYMS  columns term, code, lang: Human Disease Ontology's ICD-10-CM synonyms (CC0)
# MINILM    all-MiniLM-L6-v2 in Hugging Face's format (Apache-2.0)
# WORK      where everything goes; WORK/model is the result
# BERT_XML  the command (default: bert-xml)
set -eu
: "${CODIESP:?}" "${SYNONYMS:?}" "${MINILM:?}" "${WORK:?}"
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
bert_xml=${BERT_XML:-bert-xml}
mkdir -p "$WORK"
cd "$WORK"

# step OUTPUT COMMAND...: runs the command unless its output is there, and notes its minutes.
step() {
    output=$1
    shift
    if [ -e "$output" ]; then
        echo "done before: $output" >&2
        return
    fi
    echo "making $output" >&2
    begin=$(date +%s)
    "$@"
    echo "$output $(( ($(date +%s) - begin + 30) / 60 ))" >> minutes.txt
}

# CodiEsp under the field names of our own records.
codiesp() {
    zstdcat "$CODIESP" | sed 's/"doc_id":/"note_id":/; s/"text_en":/"text":/; s/"dx":/"codes":/' > codiesp.part
    mv codiesp.part codiesp.jsonl
}

wordings() {
    "$bert_xml" wordings --own "$here/conditions.tsv" --codes-of codiesp.jsonl --split-field split \
        --skip-split dev,background --synonyms "$SYNONYMS" --out conditions.tsv
}

# hospital NAME SPLIT SEED PATIENTS OPTIONS...: notes that all belong to one split, with ids of their own and the
# texture of life (texture.awk).
hospital() {
    name=$1 split=$2 seed=$3 patients=$4
    shift 4
    "$bert_xml" synth --progress none --seed "$seed" --patients "$patients" --conditions conditions.tsv --length short \
        --missing-code-rate 0 --extra-code-rate 0 --copy-forward-rate 0 --distractors 3 "$@" --out "$name.part.jsonl"
    sed "s/^{/{\"split\":\"$split\",/; s/_id\":\"P/_id\":\"$name-P/g" "$name.part.jsonl" |
        awk -v SEED="$((seed + 10))" -f "$here/texture.awk" > "$name.part"
    mv "$name.part" "$name.jsonl"
    rm "$name.part.jsonl"
}

# corpus OUTPUT FILES...
corpus() {
    out=$1
    shift
    "$bert_xml" prepare --progress none --input "$@" --split-field split --skip-split background --more-than 0 \
        --billable --unknown-codes drop --out "$out"
}

finetune() {
    "$bert_xml" finetune --recipe bundled --corpus corpus --encoder minilm --out run \
        "$(if [ -d run ]; then echo --resume; else echo --progress=auto; fi)"
}

export_model() {
    "$bert_xml" export --quantize int8 --remedy none --dev-notes 250 --model run --corpus corpus --card "$here/card.toml" --out model
}

step codiesp.jsonl codiesp
step conditions.tsv wordings
step clinic-train.jsonl hospital clinic-train train 1 340 --codes 600 --prevalence-offset 60 --visit-share 0.7
step clinic-dev.jsonl hospital clinic-dev dev 2 25 --codes 600 --prevalence-offset 60 --visit-share 0.7
step all-train.jsonl hospital all-train train 3 300 --prevalence-offset 400 --visit-share 0.3
step all-dev.jsonl hospital all-dev dev 4 15 --prevalence-offset 400 --visit-share 0.3
step corpus corpus corpus codiesp.jsonl clinic-train.jsonl all-train.jsonl clinic-dev.jsonl all-dev.jsonl
step minilm "$bert_xml" import "$MINILM" --max-positions 1024 --out minilm
step run/model finetune
step model export_model

# CodiEsp's dev split alone, with the same training notes, hence the same labels: what the card's figures are about.
step judged corpus judged codiesp.jsonl clinic-train.jsonl all-train.jsonl
"$bert_xml" evaluate --model model --corpus judged --split dev --codiesp compat --json codiesp.json
step tfidf "$bert_xml" baseline --corpus judged --split dev --codiesp compat --c 100 --out tfidf
cat minutes.txt
