#pragma once
// The whole library, in the order in which a sentence becomes a trained adapter: a table of contents.

// clang-format off
#include "graft/version.hpp"                      // GRAFT_VERSION_MAJOR, _MINOR, _PATCH
#include "graft/predictor.hpp"                    // what a program needs that asks for answers
#include "graft/training.hpp"                     // what a program needs that trains

// core: what every room stands on
#include "graft/core/error.hpp"                   // the exceptions, and what their messages say
#include "graft/core/index.hpp"                   // the type of sizes
#include "graft/core/number_text.hpp"             // numbers as text, whatever the locale
#include "graft/core/text_list.hpp"               // lists in a line of text
#include "graft/core/utf8.hpp"                    // UTF-8 text, a code point or a line at a time
#include "graft/core/printable.hpp"               // foreign text, fit for a line of a terminal
#include "graft/core/types.hpp"                   // matrices, views, grow-only buffers
#include "graft/core/bfloat16.hpp"                // the 16-bit float, and rows converted to and from it
#include "graft/core/precision.hpp"               // f32, bf16, f64: what every layer is templated on
#include "graft/core/precision_choice.hpp"        // the same as values, for run time
#include "graft/core/cpu.hpp"                     // what this processor can run
#include "graft/core/parameter.hpp"               // a named, possibly trainable matrix
#include "graft/core/scratch.hpp"                 // memory for temporaries
#include "graft/core/range.hpp"                   // what numbers a setting may have
#include "graft/core/fnv1a.hpp"                   // a hash for telling things apart
#include "graft/core/byte_sum.hpp"                // a sum that tells whether bytes are as they were written
#include "graft/core/tuning_options.hpp"          // the settings of adapters, mixes and low-rank updates
#include "graft/core/random.hpp"                  // random numbers that depend on counters only
#include "graft/core/function_view.hpp"           // callables without their types
#include "graft/core/threads.hpp"                 // how many threads compute
#include "graft/core/parallel.hpp"                // loops over rows whose sums do not depend on threads
#include "graft/core/profile.hpp"                 // where the time of a step goes
#include "graft/core/context.hpp"                 // what a call needs besides its arguments
#include "graft/core/rank_group.hpp"              // processes that compute one thing together
#include "graft/core/gradients.hpp"               // where a backward pass adds gradients
#include "graft/core/workers.hpp"                 // units of work, or rows, that threads take one by one
#include "graft/core/layer.hpp"                   // the contract of every layer, as concepts
#include "graft/core/mapping.hpp"                 // which files are mapped into memory where
#include "graft/core/file.hpp"                    // files read whole, mapped, or replaced in one step
#include "graft/core/json_fwd.hpp"                // the types of JSON values
#include "graft/core/json.hpp"                    // JSON with errors that name file, place and field

// text: text -> tokens
#include "graft/text/text_layout.hpp"             // where tokens stand, and special ones around texts
#include "graft/text/aligned_text.hpp"            // texts that remember what their bytes stand for
#include "graft/text/vocabulary.hpp"              // pieces and their ids
#include "graft/text/byte_level_bpe.hpp"          // RoBERTa's way of cutting text
#include "graft/text/wordpiece.hpp"               // BERT's
#include "graft/text/unigram.hpp"                 // SentencePiece's
#include "graft/text/pipeline.hpp"                // any that a tokenizer.json describes
#include "graft/text/tokenizer_model.hpp"         // one of these ways of cutting
#include "graft/text/tokenizer.hpp"               // any of them, with its special tokens

// data: tokens -> batches
#include "graft/data/example.hpp"                 // a row before and after tokenizing
#include "graft/data/fields.hpp"                  // what a row may hold, and under which names
#include "graft/data/lines.hpp"                   // lines of a file or pipe, as they come
#include "graft/data/tsv.hpp"                     // rows from tab-separated files
#include "graft/data/jsonl.hpp"                   // rows from JSON lines
#include "graft/data/conll.hpp"                   // words and their tags from columns
#include "graft/data/tags.hpp"                    // tags, and the entities that they mark
#include "graft/data/tasks.hpp"                   // the GLUE tasks, and anyone's own
#include "graft/data/example_reader.hpp"          // the examples of a task's split
#include "graft/data/featurize.hpp"               // rows -> ids of the right length
#include "graft/data/data_set.hpp"                // a split, ready to train on
#include "graft/data/sampler.hpp"                 // the order of an epoch
#include "graft/data/batch.hpp"                   // sequences as packed rows of real tokens

// gemm: products of matrices
#include "graft/gemm/tiles.hpp"                   // how the factors of a product lie in memory
#include "graft/gemm/upcoming.hpp"                // what kernels fetch for the products that follow
#include "graft/gemm/kernel_choice.hpp"           // which code computes on this processor
#include "graft/gemm/tile_kernels.hpp"            // products of tiles, for every processor
#include "graft/gemm/amx.hpp"                     // matrix tiles, for the kernels
#include "graft/gemm/product.hpp"                 // products whose blocks go on while they are in cache
#include "graft/gemm/gemm.hpp"                    // the door: y = x W^T + b, and any two matrices

// ops: functions without parameters
#include "graft/ops/activation.hpp"               // element-wise functions of adapters
#include "graft/ops/gelu.hpp"                     // the Gaussian error linear unit
#include "graft/ops/softmax.hpp"                  // softmax over a row
#include "graft/ops/layer_norm.hpp"               // normalization over a row
#include "graft/ops/blocks.hpp"                   // rows and pieces of matrices, moved and added
#include "graft/ops/dropout.hpp"                  // dropout whose mask is never stored
#include "graft/ops/epilogues.hpp"                // what becomes of a product's blocks while they are in cache
#include "graft/ops/column_sum.hpp"               // sums over rows, for gradients
#include "graft/ops/attention_core.hpp"           // attention, some queries of one head at a time
#include "graft/ops/disentangled_attention.hpp"   // attention to contents and distances
#include "graft/ops/mixed_adapters.hpp"           // all adapters of a mix in one pass

// layers: functions with parameters
#include "graft/layers/tensor_names.hpp"          // what adapters' tensors are called
#include "graft/layers/sequence_gate.hpp"         // a number for each sequence, by which something is scaled
#include "graft/layers/mixing_weights.hpp"        // mixing weights
#include "graft/layers/projection_mix.hpp"        // what a mix changes of a projection
#include "graft/layers/linear.hpp"                // y = x W^T + b
#include "graft/layers/low_rank.hpp"              // a low-rank update beside W
#include "graft/layers/embedding.hpp"             // a table of vectors
#include "graft/layers/layer_norm.hpp"            // normalization with its parameters
#include "graft/layers/dora.hpp"                  // ... whose rows get lengths of their own
#include "graft/layers/coupling.hpp"              // two halves of a row, each told of the other
#include "graft/layers/coupling_mix.hpp"          // such behind the embeddings, one or several in a mix
#include "graft/layers/attention_prefix.hpp"      // keys and values in front of every sequence
#include "graft/layers/prefix_mix.hpp"            // several of them in a mix
#include "graft/layers/relative_options.hpp"      // what attention is told of distances
#include "graft/layers/relative_positions.hpp"    // tables of distances, shared by layers
#include "graft/layers/rotary_positions.hpp"      // places as angles
#include "graft/layers/self_attention.hpp"        // multi-head self-attention
#include "graft/layers/feed_forward.hpp"          // the feed-forward sub-layer

// families: what differs between encoders
#include "graft/encoder/families/family.hpp"      // what a family is to the rest
#include "graft/encoder/families/bert.hpp"        // BERT
#include "graft/encoder/families/roberta.hpp"     // RoBERTa, XLM-R, CamemBERT
#include "graft/encoder/families/distilbert.hpp"  // DistilBERT
#include "graft/encoder/families/electra.hpp"     // ELECTRA
#include "graft/encoder/families/mpnet.hpp"       // MPNet
#include "graft/encoder/families/deberta_v2.hpp"  // DeBERTa v2, v3
#include "graft/encoder/families/modernbert.hpp"  // ModernBERT
#include "graft/encoder/families/families.hpp"    // all of them, by name

// encoder: batch -> hidden states
#include "graft/encoder/config.hpp"               // sizes and constants, from config.json
#include "graft/encoder/trunk_tensors.hpp"        // names and shapes of the pretrained tensors
#include "graft/encoder/embeddings.hpp"           // token ids -> first hidden states
#include "graft/encoder/encoder_layer.hpp"        // one layer, with its two sites
#include "graft/encoder/known_states.hpp"         // what the lowest layers made of sequences
#include "graft/encoder/encoder.hpp"              // the stack of them

// adapters: what stands at a site
#include "graft/adapters/plain_site.hpp"          // nothing: y = LN(h + x)
#include "graft/adapters/bottleneck.hpp"          // the adapter module A
#include "graft/adapters/adapter_options.hpp"     // what an adapter, and a mix of several, is
#include "graft/adapters/adapter_kind.hpp"        // what a kind of adapter has to be
#include "graft/adapters/general_options.hpp"     // what a general adapter is told
#include "graft/adapters/general_adapter.hpp"     // AdapterHub's bottleneck in all its settings
#include "graft/adapters/invertible_adapter.hpp"  // what of it stands behind the embeddings
#include "graft/adapters/adapter_kinds.hpp"       // the kinds there are, a line each
#include "graft/adapters/no_adapter.hpp"          // y = LN(h + x)
#include "graft/adapters/houlsby_adapter.hpp"     // y = LN(h + x + U(h))
#include "graft/adapters/pfeiffer_adapter.hpp"    // y = LN(h + x + U(LN(h + x)))
#include "graft/adapters/parallel_adapter.hpp"    // y = LN(h + x + U(x))
#include "graft/adapters/kind_names.hpp"          // them by name
#include "graft/adapters/fusion_adapter.hpp"      // several, among which each token chooses
#include "graft/adapters/adapter_site.hpp"        // one adapter, of whichever kind
#include "graft/adapters/multi_adapter_site.hpp"  // several: y = sum_k w_k LN_k(A_k(h) + x)
#include "graft/adapters/routed_site.hpp"         // those of several models, for each sequence one

// heads: hidden states -> logits
#include "graft/heads/head_options.hpp"             // what a head is made of
#include "graft/heads/head_names.hpp"               // what its layers are called
#include "graft/heads/sequence_classification.hpp"  // classes, or a number
#include "graft/heads/pooling.hpp"                  // ways to make one vector of a text's tokens
#include "graft/heads/sentence_embedding.hpp"       // them, and what may stand behind

// losses: logits -> loss
#include "graft/losses/loss_options.hpp"          // class weights, label smoothing
#include "graft/losses/losses.hpp"                // cross entropy of one label or several, squared error

// io: weights in files
#include "graft/io/dtype.hpp"                     // element types
#include "graft/io/tensor_source.hpp"             // named tensors, whatever their file's format
#include "graft/io/safetensors.hpp"               // the format that graft writes
#include "graft/io/torch_file.hpp"                // PyTorch's, read without running code
#include "graft/io/torch_writer.hpp"              // and written, for torch.load
#include "graft/io/weights.hpp"                   // a Hugging Face folder, one file or several
#include "graft/io/hf_names.hpp"                  // tensor names in one form
#include "graft/io/model_file.hpp"                // the flat model file, and a trunk's fingerprint

// model: trunk, sites and head together
#include "graft/model/model.hpp"                  // plain, adapter and multi-adapter classifiers
#include "graft/model/initialization.hpp"         // fresh adapters and heads
#include "graft/model/loading.hpp"                // files -> parameters
#include "graft/model/freezing.hpp"               // which parameters are trained
#include "graft/model/packed_trunk.hpp"           // weights as products read them, in a file
#include "graft/model/prefix.hpp"                 // prefixes: where they go, how they start
#include "graft/model/lora.hpp"                   // low-rank updates: where they go
#include "graft/model/memory.hpp"                 // what a run will need
#include "graft/model/saving.hpp"                 // parameters -> files
#include "graft/model/description.hpp"            // what a saved file says about itself
#include "graft/model/trunk_files.hpp"            // where an encoder's files lie
#include "graft/model/choose_precision.hpp"       // from a precision at run time to compiled code

// exchange: adapters of other programs
#include "graft/exchange/adapter_file.hpp"        // one adapter, wherever it came from
#include "graft/exchange/nlprunners.hpp"          // nlprunners' model.p
#include "graft/exchange/adapterhub_lora.hpp"     // AdapterHub's LoRA and IA3
#include "graft/exchange/adapterhub_prefix.hpp"   // and its prefixes
#include "graft/exchange/adapterhub.hpp"          // the library adapters
#include "graft/exchange/adapterhub_setup.hpp"    // its fusions
#include "graft/exchange/peft.hpp"                // PEFT's LoRA
#include "graft/exchange/checkpoint.hpp"          // encoders with a head, tuned elsewhere
#include "graft/exchange/open_adapter.hpp"        // any of them
#include "graft/exchange/sentence_folder.hpp"     // folders of sentence-transformers
#include "graft/exchange/start.hpp"               // what a run starts from, fitted to it
#include "graft/exchange/adapter_list.hpp"        // several, by name
#include "graft/exchange/combine_adapters.hpp"    // several as one: averages, task arithmetic
#include "graft/exchange/mixed_member.hpp"        // as members of a mix
#include "graft/exchange/merge_adapter.hpp"       // low-rank updates and IA3 inside the weights

// optim: gradients -> new parameters
#include "graft/optim/adamw.hpp"                  // AdamW by parameter role
#include "graft/optim/adamw_options.hpp"          // its settings
#include "graft/optim/chunks.hpp"                 // one loop over the elements of all parameters
#include "graft/optim/schedule.hpp"               // learning rate, gradient clipping
#include "graft/optim/schedule_type.hpp"          // the courses that a rate may take

// train: the loop around it all
#include "graft/train/metrics.hpp"                // scores as scikit-learn and scipy give them
#include "graft/train/class_weights.hpp"          // weights of labels, balanced or given
#include "graft/train/task_loss.hpp"              // the loss of a task of any kind
#include "graft/train/class_report.hpp"           // each class by itself, and the worst rows
#include "graft/train/evaluation.hpp"             // logits, loss and scores of a data set
#include "graft/train/spread_sum.hpp"             // sums over micro-batches that several processes computed
#include "graft/train/micro_batch_gradients.hpp"  // a batch's loss and gradients, a micro-batch at a time
#include "graft/train/checkpoint.hpp"             // all that a run needs to go on
#include "graft/train/training_options.hpp"       // how a model is trained
#include "graft/train/training_reports.hpp"       // what training tells
#include "graft/train/progress.hpp"               // how far a run has come, as a line to print
#include "graft/train/prefix_cache.hpp"           // what the layers below the tuned ones make of rows, in files
#include "graft/train/training_steps.hpp"         // what of it depends on the model's type
#include "graft/train/trainer.hpp"                // the training loop
#include "graft/train/trainer_of.hpp"             // around a model whose type is known
#include "graft/train/tunable_model.hpp"          // a model of any kind and precision
#include "graft/train/tunable_of.hpp"             // what is behind it

// predict: texts in, answers out
#include "graft/predict/predictor.hpp"            // texts in, answers out
#include "graft/predict/answer_stream.hpp"        // the same of rows without end
#include "graft/predict/shared_answers.hpp"       // and by several processes
#include "graft/predict/embedding_options.hpp"    // what embeddings are asked for
#include "graft/predict/embedding_plan.hpp"       // what is behind that
#include "graft/predict/embedder.hpp"             // texts in, embeddings out
#include "graft/predict/predictor_of.hpp"         // what is behind it
// clang-format on
