#!/usr/bin/env bash
# Every training behind the tables in results/: days on two CPU cores. Stop it whenever you like; the next call goes on
# where this one was. `make results` calls it. It writes into runs/results, for rows of another version of the training
# code may not stand in one table with those of today's; OUT names another folder (results adds what is missing there).
# DEVICE=cuda trains on a GPU; RSCVAE and PYTHON say what to run. With arguments, one of the functions below alone:
# results/sweeps.sh parts
set -uo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-runs/results}
device=${DEVICE:-cpu}
export RSCVAE_DEVICE=$device  # of every sweep that names none
failed=0
mkdir -p "$out" || exit

# A training that fails is reported, and stops no other.
sweep() { ${RSCVAE:-.venv/bin/rscvae} sweep "$@" || failed=1; }

# The folders of those sweeps whose runs are at hand: of rows that come with the checkout they are not.
runs_of() {
  for table in "$@"; do
    if compgen -G "$out/$table.runs/*/metrics.json" > /dev/null; then echo "$out/$table.runs"; fi
  done
}

# Their evaluated epochs in one table: gather TABLE.csv SWEEP...
gather() {
  local runs=($(runs_of "${@:2}"))
  [ ${#runs[@]} -eq 0 ] || ${RSCVAE:-.venv/bin/rscvae} gather "${runs[@]}" --out "$out/$1" || failed=1
}

# Of what the paper leaves open only the widths earned another value than the lesson's, by validation AUROC (notebook 08).
chosen="--set widths=wide"

# The search: four classes, mostly one setting at a time.
search() {
  methods=$1
  shift
  sweep --dataset mnist --categories 2,8 --methods "$methods" "$@" --out "$out/search.csv"
  sweep --dataset fashion_mnist --categories pullover,sandal --methods "$methods" "$@" --out "$out/search.csv"
}

# Tables 1, 2 and 4, and what notebooks 07 and 11 say of semantic deviation.
main() {
  for dataset in mnist fashion_mnist; do
    sweep --dataset $dataset --categories all --methods vae,o,d,e --seeds "$1" $chosen --out "$out/$dataset.csv"
  done
}

# Table 5 and Fig. 6: fewer anomalies, l_enc1 alone, and a base eleven times as large.
anomalies() {
  for settings in "--set p=0.005" "--set p=0.005 --set consist_on_anomaly=false" "--set anomaly_base=training_set" "--set p=0.002"; do
    for dataset in mnist fashion_mnist; do
      sweep --dataset $dataset --categories all --methods e --seeds "$1" $chosen $settings --out "$out/anomalies.csv"
    done
  done
}

# Tables 1, 2 and 4 at the paper's own schedule: Adam 1e-2, T_max 50, batch 32, of whose 500 epochs these are the first
# 50. Mode e with both bases of its 1 %. On a GPU (DEVICE=cuda) the models of a line train side by side, and in TF32
# instead of bfloat16: in a table of their own, so that no difference between modes is one of the device.
literal() {
  local table=literal
  if [ "$device" = cuda ]; then table=literal_gpu; fi
  for dataset in mnist fashion_mnist; do
    sweep --dataset $dataset --categories all --methods "$2" --seeds "$1" --scale paper --epochs 50 --out "$out/$table.csv"
  done
}

# Table 5 at the same schedule, its .5 % taken of the whole training set: 297 anomalies.
literal_half() {
  for dataset in mnist fashion_mnist; do
    sweep --dataset $dataset --categories all --methods e --seeds 0 --scale paper --epochs 50 --device cpu --set p=0.005 \
      --set anomaly_base=training_set --out "$out/anomalies_literal.csv"
  done
}

# Scored with the averages that torch keeps in training, in which plain VAE's lack the second encoding; then the same
# weights with those of one pass over the training images, as everywhere else.
batch_norm() {
  local same="--dataset fashion_mnist --categories all --methods vae,o --seeds 0 --scale paper --epochs 50 --device cpu"
  sweep $same --set recode_statistics=training --out "$out/batch_norm.csv"
  [ -n "$(runs_of batch_norm)" ] || return
  ${PYTHON:-.venv/bin/python} -c "import sys; from rscvae_lab.reproduction.frozen import with_one_pass
with_one_pass(sys.argv[1])" "$out/batch_norm.runs" || { failed=1; return; }
  sweep $same --out "$out/batch_norm.csv"
}

# Three choices of the search once more, at that schedule: the width, J/4 and the size of the code. What the scoreboard
# has instead is in `literal`.
search_literal() {
  local table=search_literal
  if [ "$device" = cuda ]; then table=search_literal_gpu; fi
  for changed in "mnist --categories all $chosen" "fashion_mnist --categories pullover,sandal $chosen" \
    "mnist --categories all --set js=jeffreys" \
    "mnist --categories 2,8 --set latent=16" "mnist --categories 2,8 --set latent=32"; do
    sweep --dataset $changed --methods "$2" --seeds "$1" --scale paper --epochs 50 --out "$out/$table.csv"
  done
}

# The terms of training, at every tenth of these fifty epochs, of all runs at hand.
terms() {
  gather literal_history.csv literal literal_gpu search_literal search_literal_gpu anomalies_literal batch_norm
}

# All of its 500 epochs, on the four classes of the search; and what each was worth at every tenth.
long() {
  local table=length
  if [ "$device" = cuda ]; then table=length_gpu; fi
  for classes in "mnist --categories 2,8" "fashion_mnist --categories pullover,sandal"; do
    sweep --dataset $classes --methods "$2" --seeds "$1" --scale paper --out "$out/$table.csv"
  done
  gather "${table}_history.csv" "$table"
}

# The same with D_JS read as J/4, by which a second code that says nothing is dear where first codes are sharp; and what
# became of the second code in both.
long_j4() {
  for classes in "mnist --categories 2,8" "fashion_mnist --categories pullover,sandal"; do
    sweep --dataset $classes --methods o --seeds "$1" --scale paper --device cpu --set js=jeffreys --out "$out/length_j4.csv"
  done
  gather length_j4_history.csv length_j4
  local runs=($(runs_of length length_j4))
  [ ${#runs[@]} -eq 0 ] || ${PYTHON:-.venv/bin/python} results/second_code.py "${runs[@]}" "$out/second_code.csv" || failed=1
}

# Our own plates, where a defect shows even at 64 pixels; augmented as formerly.
industrial() {
  sweep --dataset synthetic --categories plate --methods "$2" --seeds "$1" --image-size 64 --epochs 15 --set rigid=false --out "$out/synthetic.csv"
}

# Table 3 on the categories of MVTec AD at hand. Three images of each defect are in no test set; mode e is shown one of
# them (Table 5, Fig. 6: one to three). LENGTH was chosen by auroc_validation in parts_search.csv.
categories=bottle,pill,transistor,capsule,screw
real="--dataset mvtec_ad --image-size 128 --set test_without=3"
length=${LENGTH:-20}
parts_search() {
  for epochs in 10 20 40; do
    sweep $real --categories $categories --methods vae,o --epochs $epochs --out "$out/parts_search.csv"
  done
}
table3() { sweep $real --categories $categories --seeds "$1" --methods "$2" --epochs "$length" "${@:3}" --out "$out/table3.csv"; }
lamp() { sweep $real --categories screw --seeds "$1" --methods vae,o,d,e --epochs "$length" --set jitter=0.15 --out "$out/table3.csv"; }
parts() {
  table3 0 brightness,pca,knn1,knn5
  table3 0 vae,o,d,e
  lamp 0
  for seed in 1 2; do
    table3 $seed vae,o,d,e
    lamp $seed
  done
  table3 0 ae,ganomaly,dsebm,patch_svdd
  for seed in 0 1 2; do
    for settings in beta=5 beta=10; do table3 $seed d,e --set $settings; done
    for settings in per_defect=2 per_defect=3 consist_on_anomaly=false; do table3 $seed e --set $settings; done
  done
}
# The same at the paper's size, on a GPU: its schedule is T_max 50 of 200 epochs, whose result is epoch 150.
parts_gpu() {
  for settings in "vae,o,d,e --set beta=1" "d,e --set beta=5" "d,e --set beta=10"; do
    sweep --dataset mvtec_ad --categories "${1:-$categories}" --seeds 0,1,2 --scale paper --device cuda --set test_without=3 \
      --out "$out/table3_256.csv" --methods $settings
  done
}

# The columns of Tables 1 and 2 that are not the paper's own method: thirty epochs where these gain more than a hundredth
# of validation AUROC over ten (rivals_search.csv, means of two classes), else ten.
rivals() {
  sweep --dataset mnist --categories all --methods ae,ganomaly --seeds "$1" --out "$out/rivals.csv"
  sweep --dataset fashion_mnist --categories all --methods ae,ganomaly,adgan --seeds "$1" --out "$out/rivals.csv"
  sweep --dataset mnist --categories all --methods ganomaly_dcgan --epochs 10 --seeds 0 --out "$out/rivals.csv"
  sweep --dataset mnist --categories all --methods ocgan,gradcon --epochs 30 --seeds "$1" --out "$out/rivals.csv"
  sweep --dataset fashion_mnist --categories all --methods dsebm,dsebm_energy --epochs 30 --seeds "$1" --out "$out/rivals.csv"
}

# Were the compared methods stopped too early, or trained in too narrow a network? (GradCon's widths are its own.)
rivals_search() {
  for settings in "" "--epochs 30" "$chosen"; do
    sweep --dataset mnist --categories 2,8 --methods ae,ganomaly,ocgan $settings --out "$out/rivals_search.csv"
    sweep --dataset fashion_mnist --categories pullover,sandal --methods ae,ganomaly,adgan,dsebm $settings --out "$out/rivals_search.csv"
  done
  sweep --dataset mnist --categories 2,8 --methods gradcon --out "$out/rivals_search.csv"
  sweep --dataset mnist --categories 2,8 --methods gradcon --epochs 30 --out "$out/rivals_search.csv"
}

if [ $# -gt 0 ]; then
  "$@"
  exit $failed
fi

search vae,o,d,e
search vae,o,e --epochs 40
for latent in 16 32; do search vae,o --set latent=$latent; done
for rate in 0.003 0.01; do search o --set learning_rate=$rate; done
for js in moment_matched geometric jeffreys hellinger; do search o --set js=$js; done
search o --set recode_statistics=first
for gradient in fixed_image fixed_target; do search o --set recode_gradient=$gradient; done
search vae,o,d,e $chosen
search o --set widths=wide --set latent=16
search o --scale paper --epochs 50
${PYTHON:-.venv/bin/python} results/reduction.py "$out/reduction.csv" || failed=1
search e --set beta=10
search e --set anomaly_base=training_set
search e --set anomaly_draw=pooled
search e --set anomaly_draw=fresh
search e --set anomaly_base=training_set --set anomaly_draw=fresh

for dataset in mnist fashion_mnist; do
  sweep --dataset $dataset --categories all --methods pca,knn1,knn5 --out "$out/floors.csv"
done
for seed in 0 1 2; do literal $seed vae,o,d,e,e_all; done
literal_half
batch_norm
search_literal 0 o
terms
long 0 vae,o,d,e,e_all
long_j4 0
# what rounding alone moves
sweep --dataset fashion_mnist --categories t-shirt-top,dress --methods vae,o --scale paper --epochs 50 --device cpu \
  --set precision=float32 --out "$out/float32.csv"
main 0
anomalies 0
industrial 0 brightness,pca,vae,o,d,e
industrial 0 ae,ganomaly,dsebm,patch_svdd
rivals 0
rivals_search
main 1
rivals 1
main 2
parts_search
parts

# What notebook 05 shows beside MNIST and Fashion-MNIST.
sweep --dataset digits --categories all --methods vae,o --out "$out/digits.csv"

# The weights that notebooks 04 and 07 open: small networks, trained longer; mode e with both bases of its 1 %.
shipped() {
  ${RSCVAE:-.venv/bin/rscvae} train --dataset mnist --category 5 --epochs 40 --set threads=1 --resume \
    --out "pretrained/mnist-5/$1" "${@:2}" || failed=1
}
for mode in vae o d e; do shipped $mode --mode $mode; done
shipped e_all --mode e --set anomaly_base=training_set

# What the page (rscvae explore) has besides: a plane of codes, and the regions of all these, beside their weights.
${RSCVAE:-.venv/bin/rscvae} train --dataset digits --category 8 --mode e --set latent=2 --set widths=8-16-32-64 \
  --set threads=1 --resume --out pretrained/digits-8/plane || failed=1
${RSCVAE:-.venv/bin/rscvae} explore --calibrate pretrained/*/* || failed=1

# Fig. 7: the points of its maps, and their images.
${RSCVAE:-.venv/bin/rscvae} atlas pretrained/mnist-5/vae pretrained/mnist-5/e pretrained/mnist-5/e_all \
  --out "$out/fig7.csv" || failed=1
exit $failed
