#!/bin/bash
# Fine-tunes base_model on train_data.jsonl with the settings of finetune.yaml.
set -e
cd "$(dirname "$0")"
rm -rf ftout trained_model
python tokenise.py   # train_data.jsonl -> ftout/tokens.pt
python train.py      # ftout/tokens.pt -> ftout/latest.pt
python convert.py    # ftout/latest.pt -> trained_model/
