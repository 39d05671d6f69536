# cmake -DSOURCE=... -DOUT=... -P revision.cmake: writes the git revision into a header, only when it changes.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty=+ --exclude=* OUTPUT_VARIABLE revision
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(revision "unknown")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define TRIREME_REVISION \"${revision}\"\n")
