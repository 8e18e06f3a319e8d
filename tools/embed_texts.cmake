# Writes the C file OUTPUT with the texts of FILES, as HEADER declares their TABLE:
#   cmake -DOUTPUT=models.c -DHEADER=sim/run/model_texts.h -DTABLE=model_text "-DFILES=a.yaml;b.yaml"
#         -P embed_texts.cmake
# TABLE is the struct of a row, {name, text}, and with an s the array of them.
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
file(WRITE ${OUTPUT} "/* Made by tools/embed_texts.cmake. */\n"
                     "#include \"${HEADER}\"\n\n#include <stddef.h>\n\n${texts}\n"
                     "const struct ${TABLE} ${TABLE}s[] = {\n${table}    {NULL, NULL},\n};\n")
