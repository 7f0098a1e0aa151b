%%% The command line.
-module(bench_options).

-export([parse/1]).
-export_type([options/0]).

-type options() :: #{
    scenarios := [atom()],
    kinds := [bench_peers:kind()],
    variants := [{Name :: string(), #{atom() => twitter_yaml:value()}}],
    followers := [pos_integer()] | default,
    offline := non_neg_integer(),
    friends := [pos_integer()],
    posts := auto | pos_integer(),
    repeats := pos_integer() | default,
    cache := default | pos_integer(),
    acks := boolean(),
    quick := boolean(),
    %% Whether results are written.
    save := boolean()
}.

-define(SCENARIOS, [fanout, caches, offline, reading, acks]).

-spec parse([string()]) -> {ok, options()} | {help | error, string()}.
parse(["--help" | _]) ->
    {help, usage()};
parse(Args) ->
    Defaults = #{
        scenarios => default,
        kinds => [twitter, pep, plain, floor],
        variants => [],
        followers => default,
        offline => 0,
        friends => [],
        posts => auto,
        repeats => default,
        cache => default,
        acks => false,
        quick => false,
        save => false
    },
    try parse(Args, Defaults) of
        #{scenarios := default} = Options -> {ok, chosen(Options)};
        Options -> {ok, Options}
    catch
        error:_ -> {error, usage()}
    end.

parse([], Options) -> Options;
parse(["--quick" | Rest], Options) -> parse(Rest, Options#{quick := true});
parse(["--save" | Rest], Options) -> parse(Rest, Options#{save := true});
parse(["--acks" | Rest], Options) -> parse(Rest, Options#{acks := true});
parse([Name, Value | Rest], Options) -> parse(Rest, option(Name, Value, Options)).

option("--scenario", Value, Options) -> Options#{scenarios := words(Value, ?SCENARIOS)};
option("--peer", Value, Options) -> Options#{kinds := words(Value, [twitter, pep, plain, floor])};
option("--followers", Value, Options) -> Options#{followers := numbers(Value)};
option("--offline", Value, Options) -> Options#{offline := list_to_integer(Value)};
option("--friends", Value, Options) -> Options#{friends := numbers(Value)};
option("--posts", Value, Options) -> Options#{posts := positive(Value)};
option("--repeat", Value, Options) -> Options#{repeats := positive(Value)};
option("--cache", Value, Options) -> Options#{cache := positive(Value)};
option("--variants", Value, Options) -> Options#{variants := lists:map(fun variant/1, split(Value, ";"))}.

%% A setting by itself, or all scenarios.
chosen(#{followers := [_ | _]} = Options) ->
    Options#{scenarios := [single]};
chosen(#{friends := [_ | _]} = Options) ->
    Options#{scenarios := [single]};
chosen(#{quick := true} = Options) ->
    Options#{scenarios := ?SCENARIOS -- [caches]};
chosen(Options) ->
    Options#{scenarios := ?SCENARIOS, save := true}.

words(Value, Allowed) ->
    [
        begin
            Word = list_to_existing_atom(Text),
            true = lists:member(Word, Allowed),
            Word
        end
     || Text <- split(Value, ",")
    ].

numbers(Value) ->
    lists:map(fun positive/1, split(Value, ",")).

positive(Value) ->
    Number = list_to_integer(Value),
    true = Number > 0,
    Number.

variant(Text) ->
    [Name, Options] = split(Text, ":"),
    {string:trim(Name), maps:from_list([pair(Pair) || Pair <- split(Options, ",")])}.

pair(Text) ->
    [Key, Value] = split(Text, "="),
    {list_to_atom(string:trim(Key)), value(string:trim(Value))}.

value(Text) ->
    try
        list_to_integer(Text)
    catch
        error:badarg -> list_to_atom(Text)
    end.

split(Text, Separator) ->
    string:split(Text, Separator, all).

usage() ->
    "usage: run.escript [OPTION...]\n"
    "without any, all scenarios run, and bench/results and bench/RESULTS.md are written\n"
    "  --quick              fewer of everything; nothing is written\n"
    "  --save               write all the same\n"
    "  --scenario A,B       fanout, caches, offline, reading, acks\n"
    "one setting by itself; one line for each peer:\n"
    "  --peer A,B           twitter, pep, plain, floor\n"
    "  --followers N,N      followers who are online\n"
    "  --offline N          more of them who are not\n"
    "  --friends N,N        a reader's friends: measures reading\n"
    "  --posts N            posts of a series; default: as many as take the server a second\n"
    "  --repeat N           series of each peer\n"
    "  --cache N            ejabberd's cache_size\n"
    "  --acks               followers use stream management\n"
    "  --variants 'A:OPTION=VALUE,OPTION=VALUE;B:OPTION=VALUE'\n"
    "                       measures mod_twitter with these options, too\n".
