%%% Erlang terms as YAML, as much of it as an ejabberd configuration needs.
-module(twitter_yaml).

-export([encode/1]).
-export_type([value/0]).

%% Atoms are written bare, binaries quoted.
-type value() ::
    atom() | number() | binary() | [value()] | #{atom() | binary() => value()}.

%% @doc The value in YAML's flow style, on one line.
-spec encode(value()) -> iodata().
encode(Value) when is_atom(Value) ->
    atom_to_binary(Value);
encode(Value) when is_number(Value) ->
    io_lib:format("~w", [Value]);
encode(Value) when is_binary(Value) ->
    [$", [escape(Char) || <<Char>> <= Value], $"];
encode(Value) when is_list(Value) ->
    [$[, lists:join(", ", [encode(Element) || Element <- Value]), $]];
encode(Value) when is_map(Value) ->
    Pairs = [[encode(Key), ": ", encode(Element)] || {Key, Element} <- maps:to_list(Value)],
    [${, lists:join(", ", Pairs), $}].

escape($") -> "\\\"";
escape($\\) -> "\\\\";
escape($\n) -> "\\n";
escape(Char) -> Char.
