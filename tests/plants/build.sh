#!/bin/bash
# build.sh BUILD TARGET PROGRAM FILE EXPRESSION OUT [WORK]: the program OUT, which is TARGET's PROGRAM
# of the build in the directory BUILD, but with FILE changed by the sed EXPRESSION. Neither the tree
# nor BUILD is changed, and next to nothing is built, if BUILD's libraries are: the changed file is
# compiled as BUILD compiled it, though without optimising or warnings, and its object linked in
# front of the libraries, from which the linker then takes no second one. A changed header changes
# every object. Beside OUT it leaves OUT.d, or what it would leave there in WORK: then several
# programs with one defect share its objects.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
target=$2 program=$3 file=$4 expression=$5 out=$(realpath "$6")

work=${7-$out.d}
mkdir -p "$work/tree/$(dirname "$file")"
sed "$expression" "$root/$file" >"$work/tree/$file"
! cmp -s "$root/$file" "$work/tree/$file" || { echo "it changes nothing in $file"; exit 1; }

# BUILD's own commands, but for the places of the source, the headers and the object
changed=" -c $root/$file"
muldefs=
[[ $file != *.h ]] || changed=" -c " muldefs=" -Wl,-z,muldefs"
ninja -C "$build" -t commands "$target" >"$work/commands"
link=$(tail -n 1 "$work/commands")
# with every object of every library, what the program defines itself comes first and counts
link=${link/ -o $program /$muldefs -o $out }
# what has changed, and objects of the program itself that BUILD has not made yet
needed()
{
    grep -F -e "$changed" "$work/commands"
    for object in $link; do
        [[ $object != *.o || -e $build/$object ]] || grep -F -e " -o $object -c " "$work/commands"
    done
}

while read -r compile; do
    old=${compile##* -o }
    old=${old%% -c *}
    new=$work/$(echo "$old" | tr / _)
    compile=${compile/ -MD * -c / -O0 -w -o $new -c }
    compile=${compile/ -I$root / -I$work/tree -I$root }
    compile=${compile/" -c $root/$file"/ -c $work/tree/$file}
    [ -e "$new" ] || (cd "$build" && sh -c "$compile")
    # an object of the program itself, or one that a library has too
    case $link in
    *" $old "*) link=${link/" $old "/ $new } ;;
    *) link=${link/ -o / $new -o } ;;
    esac
done < <(needed)
(cd "$build" && sh -c "$link")
