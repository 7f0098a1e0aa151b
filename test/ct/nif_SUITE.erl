%%% The boundary to the Rust core, inside a running server: every function's real shapes,
%%% wrong types, and sizes that a client could make it see.
-module(nif_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    paths/1,
    drafts/1,
    batches_of_ids/1,
    texts/1,
    rosters/1,
    a_fanout/1,
    an_index/1,
    payloads_of_an_index/1,
    wrong_types_raise_badarg/1,
    wrong_types_for_an_index_raise_badarg/1,
    deep_terms_do_no_harm/1,
    deep_payloads_do_no_harm/1,
    large_arguments_do_no_harm/1,
    a_dropped_index_is_freed/1
]).

-define(ALICE, <<"alice@localhost">>).

all() ->
    [
        paths,
        drafts,
        batches_of_ids,
        texts,
        rosters,
        a_fanout,
        an_index,
        payloads_of_an_index,
        wrong_types_raise_badarg,
        wrong_types_for_an_index_raise_badarg,
        deep_terms_do_no_harm,
        deep_payloads_do_no_harm,
        large_arguments_do_no_harm,
        a_dropped_index_is_freed
    ].

init_per_suite(Config) ->
    Dir = proplists:get_value(priv_dir, Config),
    {ok, Server} = twitter_server:start(#{dir => Dir, name => "nif"}),
    {_, Beam, File} = code:get_object_code(twitter_nif_probe),
    {module, _} = twitter_server:call(Server, code, load_binary, [twitter_nif_probe, File, Beam]),
    [{server, Server}, {os_pid, twitter_server:os_pid(Server)} | Config].

%% It is still the same process: nothing here has made the server crash.
end_per_suite(Config) ->
    Server = twitter_cases:server(Config),
    true = proplists:get_value(os_pid, Config) =:= twitter_server:os_pid(Server),
    ok = twitter_server:stop(Server).

%%% Shapes

paths(Config) ->
    Nodes = [
        {<<"/twitter">>, root},
        {<<"/twitter/MyFriends">>, my_friends},
        {<<"/twitter/MyStream">>, {stream, mine}},
        {<<"/twitter/FriendsStream">>, {stream, friends}},
        {<<"/twitter/MyFriends/alice@localhost">>, {stream, {friend, ?ALICE}}},
        {<<"/twitter/MyStream/a/b!c">>, {post, {mine, <<"a/b!c">>}}},
        {<<"/twitter/FriendsStream/☃"/utf8>>, {post, {friends, <<"☃"/utf8>>}}},
        {<<"/twitter/MyFriends/alice@localhost/1">>, {post, {{friend, ?ALICE}, <<"1">>}}}
    ],
    [
        {Id, {Node, Id}} = {Id, {nif(Config, parse_node, [Id]), nif(Config, node_id, [Node])}}
     || {Id, Node} <- Nodes
    ],
    [Node = nif(Config, parse_disco_node, [Id]) || {Id, Node} <- Nodes, nomatch =:= binary:match(Id, <<"!">>)],
    [foreign = nif(Config, parse_node, [Id]) || Id <- [<<>>, <<"news">>, <<"/twitters">>]],
    Stored = nif(Config, stored_node, [?ALICE]),
    {ok, ?ALICE} = nif(Config, author_of_stored, [Stored]),
    %% What is stored cannot be named from the wire.
    [unknown = nif(Config, parse_node, [Id]) || Id <- [Stored, <<"/twitter/">>, <<"/twitter/x">>, <<"/twitter/MyFriends/@">>]],
    [{error, no_author} = nif(Config, author_of_stored, [Id]) || Id <- [<<>>, <<"/twitter/MyStream">>]].

drafts(Config) ->
    Check = fun(Args) -> nif(Config, check_draft, Args) end,
    Text = {text, <<"text">>},
    {ok, checked} = Check([1, <<"id">>, 1, Text, 4]),
    {ok, checked} = Check([1, <<"id">>, 1, {element, <<"<a/>">>}, 4]),
    {error, {too_big, 3}} = Check([1, <<"id">>, 1, Text, 3]),
    {error, no_item} = Check([0, <<>>, 0, Text, 10]),
    {error, many_items} = Check([2, <<>>, 1, Text, 10]),
    {error, no_payload} = Check([1, <<>>, 0, Text, 10]),
    {error, many_payloads} = Check([1, <<>>, 2, Text, 10]),
    {error, long_id} = Check([1, binary:copy(<<"x">>, 100_000), 1, Text, 10]),
    {error, too_deep} = Check([1, <<>>, 1, {element, nested(100_000)}, 16#7fffffff]).

batches_of_ids(Config) ->
    Ids = [integer_to_binary(N) || N <- lists:seq(1, 1000)],
    Batches = nif(Config, batches, [Ids, 100]),
    Ids = lists:append(Batches),
    true = length(Batches) > 1,
    [] = [Batch || Batch <- Batches, iolist_size(Batch) > 100],
    [] = lists:append(nif(Config, batches, [[], 100])).

texts(Config) ->
    <<"a\nb">> = nif(Config, text, [{text, <<"a\nb">>}]),
    <<"a b">> = nif(Config, title, [{text, <<" a\n b ">>}]),
    Entry = <<"<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title></entry>">>,
    [<<"Soliloquy">> = nif(Config, Function, [{element, Entry}]) || Function <- [text, title]],
    %% An element without words is named by its name; what is no XML makes no harm.
    <<"(a)">> = nif(Config, text, [{element, <<"<a xmlns='urn:a'/>">>}]),
    [<<_, _/binary>> = nif(Config, text, [{element, Xml}]) || Xml <- [<<"<a">>, <<"no">>, <<"<a></b>">>]].

rosters(Config) ->
    Lines = [
        {<<"both">>, <<"localhost">>, <<"B">>, both},
        {<<"to">>, <<"other.example">>, <<>>, to},
        {<<"from">>, <<"other.example">>, <<"A">>, from},
        {<<"none">>, <<"localhost">>, <<"C">>, none}
    ],
    [{<<"both@localhost">>, <<"B">>}, {<<"to@other.example">>, <<"to@other.example">>}] =
        nif(Config, friends, [?ALICE, Lines]),
    [] = nif(Config, friends, [?ALICE, []]).

a_fanout(Config) ->
    ok = probe(Config, fanout_shapes, []).

an_index(Config) ->
    ok = probe(Config, index_shapes, []).

payloads_of_an_index(Config) ->
    ok = probe(Config, payload_shapes, []).

%%% Wrong types

wrong_types_raise_badarg(Config) ->
    Wrong = [undefined, -1, 1.5, 1 bsl 70, "list", #{}, {}, self(), make_ref(), <<1:3>>],
    Line = {<<"bob">>, <<"localhost">>, <<"Bob">>, both},
    Calls =
        [{F, [W]} || F <- [parse_node, parse_disco_node, node_id, stored_node, author_of_stored, text, title], W <- [[] | Wrong]] ++
            [{stored_node, [Jid]} || Jid <- [<<>>, <<"@">>, <<"a@b/c">>, <<255>>]] ++
            [{node_id, [Node]} || Node <- [{stream, mine, 1}, {stream, other}, {post, {mine, 1}}, {stream, {friend, <<"@">>}}]] ++
            [{F, [{text, W}]} || F <- [text, title], W <- [<<255>>, [] | Wrong]] ++
            [{F, [{element, W}]} || F <- [text, title], W <- [[] | Wrong]] ++
            [{check_draft, setelement_of(N, W)} || N <- [1, 3, 5], W <- [<<"x">>, [] | Wrong]] ++
            [{check_draft, setelement_of(N, W)} || N <- [2, 4], W <- [[] | Wrong]] ++
            [{friends, [W, [Line]]} || W <- [<<"@">>, [] | Wrong]] ++
            [{friends, [?ALICE, W]} || W <- Wrong] ++
            [{friends, [?ALICE, [Line | W]]} || W <- Wrong -- ["list"]] ++
            [{friends, [?ALICE, [setelement(N, Line, W)]]} || N <- [1, 2, 3, 4], W <- Wrong] ++
            [{recipients, [?ALICE, W, [], []]} || W <- Wrong] ++
            [{take_post, [W, ?ALICE, 1, 1, 0]} || W <- [[] | Wrong]] ++
            [{recipients, [?ALICE, [Line], W, []]} || W <- Wrong] ++
            [{recipients, [?ALICE, [Line], [W], []]} || W <- Wrong],
    [] = [
        {F, Args, Outcome}
     || {F, Args} <- Calls, Outcome <- [probe(Config, attempt, [F, Args])], Outcome =/= badarg
    ].

wrong_types_for_an_index_raise_badarg(Config) ->
    [] = probe(Config, index_refusals, []).

setelement_of(N, Value) ->
    tuple_to_list(setelement(N, {1, <<"id">>, 1, {text, <<"text">>}, 10}, Value)).

%%% Sizes

deep_terms_do_no_harm(Config) ->
    Terms = [
        lists:foldl(fun(_, Inner) -> [Inner] end, [], lists:seq(1, 100_000)),
        lists:foldl(fun(_, Inner) -> {post, Inner} end, {}, lists:seq(1, 100_000)),
        lists:foldl(fun(_, Inner) -> {stream, {friend, Inner}} end, mine, lists:seq(1, 100_000))
    ],
    [
        false = is_tuple(Outcome) andalso element(1, Outcome) =:= returned
     || Term <- Terms,
        {F, Args} <- [
            {node_id, [Term]}, {text, [Term]}, {text, [{element, Term}]}, {parse_node, [Term]},
            {friends, [?ALICE, [Term]]}, {recipients, [?ALICE, [], [Term], []]}, {recipients, [?ALICE, [], [], [Term]]}
        ],
        Outcome <- [probe(Config, attempt, [F, Args])]
    ].

deep_payloads_do_no_harm(Config) ->
    Deep = nested(100_000),
    Open = binary:copy(<<"<a>">>, 100_000),
    Wide = <<"<a>", (binary:copy(<<"<b/>">>, 200_000))/binary, "</a>">>,
    Attributes = iolist_to_binary(["<a ", [["b", integer_to_list(N), "='' "] || N <- lists:seq(1, 20_000)], "/>"]),
    [
        true = is_binary(nif(Config, Function, [{element, Xml}]))
     || Function <- [text, title], Xml <- [Deep, Open, Wide, Attributes]
    ],
    [{_, true} = {Xml, is_tuple(nif(Config, check_draft, [1, <<>>, 1, {element, Xml}, 16#7fffffff]))} || Xml <- [Deep, Open, Wide]].

large_arguments_do_no_harm(Config) ->
    ok = probe(Config, large_arguments, []).

%% A hundred indexes of 20,000 posts.
a_dropped_index_is_freed(Config) ->
    ok = probe(Config, drop_indexes, [20, 20_000]),
    Before = probe(Config, resident, []),
    ok = probe(Config, drop_indexes, [100, 20_000]),
    After = probe(Config, resident, []),
    %% Each holds at least its ids, 35 bytes for a post, and its payloads, 200 bytes.
    Taken = 100 * 20_000 * 235 div 1024,
    true = After - Before < Taken div 2 orelse error({not_freed, Before, After}).

%%% Helpers

nested(Depth) ->
    iolist_to_binary([lists:duplicate(Depth, <<"<a>">>), lists:duplicate(Depth, <<"</a>">>)]).

nif(Config, Function, Args) ->
    twitter_server:call(twitter_cases:server(Config), twitter_nif, Function, Args).

probe(Config, Function, Args) ->
    twitter_server:call(twitter_cases:server(Config), twitter_nif_probe, Function, Args).
