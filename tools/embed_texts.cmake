# Writes the C file OUTPUT with the texts of files as strings of these names:
#   cmake -DOUTPUT=texts.c "-DTEXTS=html_style=page.css;html_script=page.js" -P embed_texts.cmake
# As characters one by one: no compiler has to take string literals of such a length.
set(texts "")
foreach(text IN LISTS TEXTS)
    string(REGEX MATCH "^([a-z_]+)=(.*)$" matched ${text})
    set(name ${CMAKE_MATCH_1})
    file(READ ${CMAKE_MATCH_2} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
    string(APPEND texts "\nconst char ${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUTPUT} "/* Made by tools/embed_texts.cmake. */\n"
                     "#include \"sim/run/html_texts.h\"\n${texts}")
