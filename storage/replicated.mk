# The replicated half: commands, the state and its tables, checkpoints.
storage_libstorage_a_SOURCES += \
	storage/batch.c \
	storage/changes.h \
	storage/checkpoint.c storage/checkpoint.h \
	storage/checkpoint_format.h \
	storage/checkpoint_transfer.c storage/checkpoint_transfer.h \
	storage/checkpoint_write.c \
	storage/command.c storage/command.h \
	storage/due.c storage/due.h \
	storage/execute.c \
	storage/history.c storage/history.h \
	storage/keys.c storage/keys.h \
	storage/live.c storage/live.h \
	storage/lock.c storage/lock.h \
	storage/operations.c storage/operations.h \
	storage/path.c storage/path.h \
	storage/position.c storage/position.h \
	storage/session.c storage/session.h storage/sessions.h \
	storage/state.c storage/state.h storage/state_internal.h \
	storage/tables.c storage/tables.h \
	storage/tree.c storage/tree.h \
	storage/view.c storage/view_internal.h \
	storage/view_tree.c
