# cmake -DOUT=parts.cpp -DHEADER=a/parts.h -DNAMESPACE=trireme::x "-DTEXTS=kName=file;kOther=file" -P embed.cmake: files as constants of a
# program, declared in the header as `extern const std::string_view kName`.
set(source "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n")
foreach(text ${TEXTS})
  string(REGEX MATCH "^([^=]+)=(.+)$" found "${text}")
  file(READ "${CMAKE_MATCH_2}" content)
  string(APPEND source "\nconst std::string_view ${CMAKE_MATCH_1} = R\"embedded(${content})embedded\";\n")
endforeach()
file(WRITE ${OUT} "${source}\n}  // namespace ${NAMESPACE}\n")
