# The replicated half: commands, the state and its tables, checkpoints.
storage_libstorage_a_SOURCES += \
	storage/checkpoint.h \
	storage/command.h \
	storage/live.h \
	storage/path.h \
	storage/state.h
