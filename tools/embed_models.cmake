# Writes the C file OUTPUT with the texts of FILES, cost models, for sim/run/model_texts.h:
#   cmake -DOUTPUT=models.c "-DFILES=a.yaml;b.yaml" -P embed_models.cmake
# As characters one by one: no compiler has to take string literals of such a length.
set(texts "")
set(table "")
foreach(file IN LISTS FILES)
    cmake_path(GET file STEM name)
    string(MAKE_C_IDENTIFIER ${name} identifier)
    file(READ ${file} text HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," text "${text}")
    string(APPEND texts "static const char text_${identifier}[] = {${text}0};\n")
    string(APPEND table "    {\"${name}\", text_${identifier}},\n")
endforeach()
file(WRITE ${OUTPUT} "/* Made from scenarios/models/ by tools/embed_models.cmake. */\n"
                     "#include \"sim/run/model_texts.h\"\n\n#include <stddef.h>\n\n${texts}\n"
                     "const struct model_text model_texts[] = {\n${table}    {NULL, NULL},\n};\n")
