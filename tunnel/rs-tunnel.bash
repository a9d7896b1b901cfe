# Copyright (C) rs-gateway contributors
#
# bash completion of rs-tunnel: its commands and options; files where a file
# is wanted.

_rs_tunnel()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i

    case $prev in

    -k|--key-file|-c|--config|--ca-file)
        compopt -o default
        COMPREPLY=()
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--server --key-file --config
            --local --gateway-port --direct --target --label --idle --ttl
            --tenant --ca-file --secret --verbose --quiet --version --help -W" -- "$cur")
        return
    fi

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in

        tcp|udp|ssh|rdp|run)
            return
            ;;
        esac
    done

    mapfile -t COMPREPLY < <(compgen -W "tcp udp ssh rdp run" -- "$cur")
}

complete -F _rs_tunnel rs-tunnel
