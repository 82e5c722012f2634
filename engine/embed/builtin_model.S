/* The converted model file as read-only data; see data/models/README.md for its provenance. */
    .section .rodata
    .balign 64
    .global br_builtin_model_begin
    .hidden br_builtin_model_begin
br_builtin_model_begin:
    .incbin BR_MODEL_FILE
    .global br_builtin_model_end
    .hidden br_builtin_model_end
br_builtin_model_end:
    .byte 0
    .section .note.GNU-stack, "", @progbits
