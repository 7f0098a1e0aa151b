%%% Runs inside a node of its own, for nif_fuzz_SUITE: calls of the NIFs with any term in any argument.
%%%
%%% Valid arguments are made first; then one of them, or some, or something inside of one, is replaced.
%%% Whatever is called, it returns what its specification says, or raises badarg.
-module(twitter_nif_fuzz).

-export([functions/0, hostile/2, mutated/3, large/1, sizes/1, slowest_of_normal/0, atoms/0, peak/0, forget_peak/0]).

-define(JID, <<"alice@localhost">>).
-define(DEPTH, 100_000).
%% Microseconds: far more than any call needs, far less than a walk through something squared.
-define(PATIENCE, 2_000_000).

-type odd() :: {Function :: atom(), Args :: string(), Outcome :: term()}.

%% @doc All functions of the NIF, with valid arguments for each.
-spec functions() -> [{atom(), [term()]}].
functions() ->
    Index = index(),
    Hold = twitter_nif:hold_new(),
    _ = twitter_nif:hold(Index, Hold, ?JID),
    Online = twitter_nif:online_new(),
    true = twitter_nif:arrive(Online, <<"bob">>, self(), <<"phone">>),
    Here = [{<<"localhost">>, Online}],
    Lines = [
        {<<"bob">>, <<"localhost">>, <<"Bob">>, both}, {<<"eve">>, <<"other.example">>, <<>>, from},
        {<<>>, <<"other.example">>, <<255>>, to}
    ],
    Rosters = twitter_nif:rosters_new(100_000),
    taken = twitter_nif:roster_load(Rosters, ?JID, twitter_nif:roster_version(Rosters, ?JID), [<<"bob@localhost">>]),
    Fanout = twitter_nif:recipients(?JID, Lines, Here, [<<"localhost">>]),
    Rates = twitter_nif:rates_new(),
    Meter = twitter_nif:meter_new(),
    Settings = twitter_nif:settings_read(<<>>),
    Dialogs = twitter_nif:dialogs_new(),
    ok = twitter_nif:dialog_open(Dialogs, <<"open">>, {?JID, <<"phone">>}, <<"twitter#post">>, {post, {true, true}}, 1),
    Request = {oldest_first, {index, 0}, 10},
    {ok, {_, Cursor, _, _, _}} = twitter_nif:page(Index, Hold, [?JID], none, Request, 1000),
    Version = twitter_nif:version(Index, ?JID),
    Rows = [{twitter_nif:audience_bucket(?JID), <<"alice@localhost 1-2,5-\n">>}],
    [
        {parse_node, [<<"/twitter/MyStream/1">>]}, {parse_disco_node, [<<"/twitter/MyFriends/bob@localhost/1">>]},
        {node_id, [{post, {{friend, <<"bob@localhost">>}, <<"1">>}}]}, {stored_node, [?JID]},
        {author_of_stored, [<<"/twitter/alice@localhost/MyStream">>]},
        {check_draft, [1, <<"id">>, 1, {element, <<"<a xmlns='urn:a'>b</a>">>}, 1000]}, {max_depth, []},
        {text, [{element, <<"<a xmlns='urn:a'>b</a>">>}]}, {title, [{text, <<"b">>}]},
        {friends, [?JID, Lines]}, {batches, [[<<"1">>, <<"2">>], 10]},
        {online_new, []}, {arrive, [Online, <<"bob">>, self(), <<"desk">>]}, {leave, [Online, <<"bob">>, self()]},
        {depart, [Online, <<"bob">>, self(), {5, [6, 7], [4], [8]}]}, {take_departure, [Online, <<"bob">>]},
        {departed, [Online]}, {return_departure, [Online, <<"bob">>, {5, [6], [], [7]}]},
        {mark_pass, [<<"online 1 2 5-9">>, [1, 10, 20]]}, {mark_run, [<<"online 1 2 5-9">>]},
        {mark_gaps, [<<"offline 12 5-9 12-">>, 1, false]}, {mark_seen, [<<"online 1 2 5-9">>, 1, true, 6, 7]},
        {mark_arrive, [<<"offline 12 5-9 12-">>, {5, [6, 7], [4], [8]}, {1, 20, false, true}]},
        {mark_leave, [<<"online 1 2 5-9">>, {20, [], [18], [21]}]}, {mark_push, [<<"online 1 2 5-9">>, false, 30]},
        {sessions, [Online, <<"bob">>]}, {all_sessions, [Online]},
        {recipients, [?JID, Lines, Here, [<<"localhost">>]]}, {domains, [Fanout]}, {next_portion, [Fanout, Here]}, {recheck, [Fanout, Lines]},
        {hand_over, [Fanout, author, <<"desk">>, self(), [hello]]}, {resume, [Fanout]},
        {rosters_new, [1000]}, {roster_version, [Rosters, ?JID]}, {roster_load, [Rosters, ?JID, 1, [<<"bob@localhost">>]]},
        {roster_answer, [Rosters, ?JID, 1, <<"bob@localhost">>, true]}, {roster_changes, [Rosters, ?JID]},
        {roster_changed, [Rosters, ?JID]}, {rosters_reset, [Rosters]},
        {sees, [Rosters, <<"bob@localhost">>, [?JID, <<"eve@localhost">>]]},
        {remembered_recipients, [Rosters, ?JID, Here, [<<"localhost">>]]}, {remembered_readers, [Rosters, ?JID, <<"localhost">>]},
        {remembered_recheck, [Rosters, ?JID, Fanout]},
        {rates_new, []}, {take_post, [Rates, ?JID, 60, 30, 1]},
        {commands, [{true, true, true}]}, {is_command, [<<"twitter#post">>]}, {begin_command, [<<"/twitter/MyStream">>, {true, true, false}]},
        {stage_form, [{edit, {<<"1">>, true, false}}]}, {mute_spans, []}, {dialogs_new, []},
        {dialog_open, [Dialogs, <<"sid">>, {?JID, <<"phone">>}, <<"twitter#mute">>, {mute, {?JID, true}}, 1]},
        {dialog_step, [Dialogs, <<"open">>, {?JID, <<"phone">>}, <<"twitter#post">>,
                       {next, {submitted, [{<<"text">>, [<<"a">>, <<"b">>]}, {<<"until">>, []}]}}, 1]},
        {dialog_show, [Dialogs, <<"open">>, {?JID, <<"phone">>}, {latest, {<<"a">>, <<"b">>, true, false}}, 1]},
        {settings_read, [<<"<settings xmlns='urn:ejabberd:twitter:settings'/>">>]}, {settings_write, [Settings]},
        {settings_view, [Settings, 1]}, {settings_set, [Settings, true, false, true]},
        {settings_mute, [Settings, ?JID, forever, 1]}, {settings_unmute, [Settings, ?JID]},
        {settings_heard, [Settings, [{?JID, <<"Alice">>}], 1]}, {settings_share, [Settings, ?JID, post, 1]},
        {export, [?JID, {true, false, true, [{?JID, undefined}, {?JID, <<"2030-12-31T00:00:00Z">>}]},
                  [{<<"pubsub.localhost">>, <<"mark">>}], [{<<"1">>, <<"2008-05-01T10:00:00Z">>, <<"2008-05-01T10:00:00Z">>, {text, <<"b">>}}]]},
        {meter_new, []}, {record, [Meter, 10, 20]}, {summary, [Meter, 20]},
        {prometheus, [[{<<"localhost">>, [{<<"posts">>, 1}], [{<<"push">>, {1, 2, {3, 4, 5, 6}}}]}]]},
        {users_online, [Online]}, {rosters_bytes, [Rosters]},
        {index_new, [1000, 1000]}, {set_budgets, [Index, 1 bsl 20, 1 bsl 20]}, {memory, [Index]}, {hold_new, []},
        {hold, [Index, Hold, ?JID]}, {release, [Hold]}, {version, [Index, ?JID]},
        {load, [Index, Hold, ?JID, Version, [{1, <<"a">>}, {2, <<"b">>}]]},
        {put, [Index, ?JID, Version, 3, <<"c">>, <<"payload">>]}, {remove, [Index, ?JID, Version, <<"c">>]},
        {audience_bucket, [?JID]}, {audience_digest, [<<"3 ab">>]}, {audience_is_open, [<<"3 ?">>]}, {audience_unsure, [<<"3 ab">>]},
        {audience_assume, [<<"3 ab">>, Rows, <<"cd">>, [?JID, <<"bob@localhost">>]]}, {audience_seal, [<<"3 ab">>, Rows]},
        {audience_next, [<<"3 ab">>, relay]}, {audience_admit, [<<"alice@localhost 1-3,5-\n">>, ?JID, 4]},
        {audience_dismiss, [<<"alice@localhost 1-3,5-\n">>, ?JID]}, {audience_readers, [Rows, 2]},
        {place_at, [10, 11, 12]}, {speaks_for, [<<"pubsub.a.test">>, <<"a.test">>, [<<"pubsub.a.test">>]]}, {retry_after, [3]},
        {load_heard, [Index, Hold, <<"carol@a.test">>, Version, [{1, <<"a">>, 1}, {2, <<"b">>, 2}], Rows]},
        {put_heard, [Index, <<"carol@a.test">>, Version, {3, <<"c">>, 3}, <<"payload">>, Rows]},
        {set_heard, [Index, <<"carol@a.test">>, Version, Rows]},
        {keep_payloads, [Index, [{?JID, Version, <<"a">>, <<"payload">>}]]}, {forget, [Index, ?JID]}, {forget_all, [Index]},
        {page, [Index, Hold, [?JID], ?JID, setelement(2, Request, {'after', Cursor}), 1000]},
        {find, [Index, Hold, [?JID], none, [<<"a">>, <<"none">>], 1000]},
        {missed, [Index, Hold, [?JID], ?JID, [{0, 1}, {2, open}], 10, 1000]}
    ].

index() ->
    Index = twitter_nif:index_new(1 bsl 20, 1 bsl 20),
    Posts = [{1, <<"a">>}, {2, <<"b">>}],
    taken = twitter_nif:load(Index, twitter_nif:hold_new(), ?JID, twitter_nif:version(Index, ?JID), Posts),
    Index.

%%% What is called

%% @doc Each argument replaced by any term, so many times; and several of them at once.
-spec hostile(Seed :: integer(), Times :: pos_integer()) -> [odd()].
hostile(Seed, Times) ->
    _ = rand:seed(exsss, Seed),
    lists:append([hostile_calls(Function, length(Args), Times) || {Function, Args} <- functions()]).

hostile_calls(Function, Arity, Times) ->
    Calls = [{N, Term} || N <- lists:seq(1, Arity), Term <- terms() ++ [any(3) || _ <- lists:seq(1, Times)]],
    Odd = [called(Function, replaced(N, args(Function), Term)) || {N, Term} <- Calls],
    Several = [called(Function, [case rand:uniform(2) of 1 -> Arg; 2 -> any(3) end || Arg <- args(Function)]) || _ <- lists:seq(1, Times * Arity)],
    [Call || Call <- Odd ++ Several, Call =/= fine].

%% @doc Something anywhere inside of an argument replaced, or a list made longer.
-spec mutated(Seed :: integer(), Times :: pos_integer(), pos_integer()) -> [odd()].
mutated(Seed, Times, Mutations) ->
    _ = rand:seed(exsss, Seed),
    [
        Odd
     || {Function, [_ | _] = Args} <- functions(), _ <- lists:seq(1, Times),
        Odd <- [called(Function, lists:foldl(fun(_, Now) -> at(rand:uniform(length(Now)), Now) end, Args, lists:seq(1, rand:uniform(Mutations))))],
        Odd =/= fine
    ].

%% @doc What is too deep or too large in each argument, bare and inside of what is expected.
-spec large(atom()) -> [odd()].
large(Function) ->
    Terms = large_terms(),
    [
        Odd
     || N <- lists:seq(1, length(args(Function))), Term <- Terms,
        Odd <- [called(Function, replaced(N, args(Function), Inside)) || Inside <- wrapped(Term, lists:nth(N, args(Function)))],
        Odd =/= fine
    ].

%% @doc Every number replaced by each of these, wherever it is.
-spec sizes(Numbers :: [integer()]) -> [odd()].
sizes(Numbers) ->
    [
        Odd
     || {Function, Args} <- functions(), N <- lists:seq(1, length(Args)), Number <- Numbers,
        Odd <- [called(Function, replaced(N, args(Function), Term)) || Term <- numbered(lists:nth(N, Args), Number)],
        Odd =/= fine
    ].

%% @doc What runs on normal schedulers and takes an id: with the longest that comes in a stanza, the
%% microseconds of the fastest of some calls.
-spec slowest_of_normal() -> [{atom(), Micros :: non_neg_integer()}].
slowest_of_normal() ->
    Large = [iolist_to_binary([Start, binary:copy(Part, 524_288 div byte_size(Part)), End])
             || Start <- ["", "/twitter/MyStream/", "/twitter/MyFriends/", "/twitter/"],
                Part <- [<<"x">>, <<"!">>, <<"/">>, <<"%21">>, <<"@">>, <<"ü"/utf8>>, <<255>>, <<0>>],
                End <- ["", "/MyStream", "@localhost"]],
    Calls = [{F, [Id]} || F <- [parse_node, parse_disco_node, stored_node, author_of_stored], Id <- Large] ++
        [{sessions, [twitter_nif:online_new(), Id]} || Id <- Large] ++
        [{node_id, [{post, {mine, Id}}]} || Id <- Large],
    [{F, lists:min([element(1, timer:tc(fun() -> attempt(F, Args) end)) || _ <- lists:seq(1, 5)])} || {F, Args} <- Calls].

%% Some functions change what they are called with: from time to time all is made anew. A hold that was
%% emptied, an index that forgot are hostile themselves.
args(Function) ->
    {_, Functions, _} = world(),
    proplists:get_value(Function, Functions).

world() ->
    case get(?MODULE) of
        {Left, Functions, Terms} when Left > 0 -> put(?MODULE, {Left - 1, Functions, Terms});
        _ -> put(?MODULE, {100, functions(), numbers() ++ texts() ++ others()})
    end,
    get(?MODULE).

%%% What it does

called(Function, Args) ->
    {Micros, Outcome} = timer:tc(fun() -> attempt(Function, Args) end),
    case Outcome =:= badarg orelse is_answer(Function, Outcome) of
        true when Micros < ?PATIENCE -> fine;
        true -> {Function, shown(Args), {slow, Micros}};
        false -> {Function, shown(Args), shown(Outcome)}
    end.

attempt(Function, Args) ->
    twitter_nif_probe:attempt(Function, Args).

shown(Term) ->
    lists:flatten(io_lib:format("~0P", [Term, 30])).

is_answer(Function, {returned, Answer}) -> is_of(kind(Function), Answer);
is_answer(_Function, _Raised) -> false.

kind(Function) ->
    Kinds = [
        {node, [parse_node, parse_disco_node]},
        {boolean, [is_command, dialog_show]}, {list, [commands, mute_spans]}, {start, [begin_command]}, {form, [stage_form]},
        {reference, [dialogs_new]}, {ok, [dialog_open]}, {result, [dialog_step]},
        {text, [audience_unsure, audience_admit, audience_dismiss]}, {number, [audience_bucket, place_at, retry_after]},
        {boolean, [audience_is_open, speaks_for]}, {list, [audience_readers]}, {digest, [audience_digest]},
        {numbered, [audience_next]}, {audience, [audience_assume, audience_seal]},
        {text, [node_id, stored_node, text, title, export, prometheus, settings_write, mark_pass, mark_leave, mark_push, mark_seen]},
        {number, [max_depth, roster_version, version, users_online, rosters_bytes]},
        {boolean, [arrive, leave, depart, hold, hand_over]},
        {list, [friends, batches, domains, sessions, all_sessions, departed, sees, settings_heard, mark_gaps]},
        {share, [settings_share]},
        {settings, [settings_view]},
        {reference, [online_new, recipients, rosters_new, rates_new, meter_new, index_new, hold_new, settings_read,
            settings_set, settings_unmute]},
        {portion, [next_portion]},
        {ok, [recheck, record, resume, roster_changes, roster_changed, rosters_reset, set_budgets, release, keep_payloads, forget, forget_all, return_departure]},
        {departure, [take_departure]}, {moment, [mark_run]},
        {mark, [mark_arrive]},
        {offer, [roster_load, roster_answer, load, put, load_heard, put_heard, set_heard, remove]},
        {memory, [memory]},
        {summary, [summary]},
        {result, [author_of_stored, check_draft, remembered_recipients, remembered_readers, remembered_recheck, take_post, page, find,
            missed, settings_mute]}
    ],
    [Kind] = [Kind || {Kind, Functions} <- Kinds, lists:member(Function, Functions)],
    Kind.

is_of(node, Node) -> lists:member(Node, [foreign, unknown, root, my_friends]) orelse is_tuple(Node);
is_of(text, Text) -> is_binary(Text) andalso is_list(unicode:characters_to_list(Text));
is_of(number, Number) -> is_integer(Number) andalso Number >= 0;
is_of(boolean, Boolean) -> is_boolean(Boolean);
is_of(list, List) -> is_list(List) andalso length(List) >= 0;
is_of(reference, Reference) -> is_reference(Reference);
is_of(portion, Next) -> Next =:= recheck orelse Next =:= done orelse element(1, Next) =:= portion;
is_of(moment, Moment) -> Moment =:= undefined orelse is_integer(Moment);
is_of(digest, Digest) -> Digest =:= undefined orelse is_binary(Digest);
is_of(numbered, {error, Why}) -> Why =:= open orelse Why =:= closed;
is_of(numbered, {Seq, State}) -> is_integer(Seq) andalso is_binary(State);
is_of(audience, {State, Rows}) -> is_binary(State) andalso is_list(Rows);
is_of(share, Share) -> lists:member(Share, [whole, without_body, nothing]);
is_of(settings, Settings) -> tuple_size(Settings) =:= 4;
is_of(ok, Answer) -> Answer =:= ok;
is_of(departure, Answer) -> Answer =:= undefined orelse tuple_size(Answer) =:= 4;
is_of(mark, {Mark, Missed}) -> is_binary(Mark) andalso (Missed =:= undefined orelse is_list(Missed));
is_of(offer, Answer) -> Answer =:= taken orelse Answer =:= stale;
is_of(summary, {Count, Sum, {_, _, _, _}}) -> Count >= 0 andalso Sum >= 0;
is_of(start, Start) -> Start =:= none orelse Start =:= table orelse element(1, Start) =:= stage;
is_of(form, {Fields, Actions}) -> is_list(Fields) andalso (Actions =:= none orelse element(1, Actions) =:= some);
is_of(memory, Memory) -> tuple_size(Memory) =:= 5;
is_of(result, {ok, _}) -> true;
is_of(result, {error, {Reason, _}}) -> lists:member(Reason, [too_big, too_fast, not_loaded, bad_payload]);
is_of(result, {error, Reason}) ->
    lists:member(Reason, [no_author, bad_cursor, not_loaded, no_item, many_items, no_payload, many_payloads, too_deep, not_xml, long_id])
        orelse lists:member(Reason, [bad_sessionid, session_expired, bad_action]).

%%% Terms

%% One of each kind, and what is next to a limit.
terms() ->
    {_, _, Terms} = world(),
    Terms.

numbers() ->
    [0, 1, -1, 1 bsl 31, 1 bsl 32 - 1, 1 bsl 32, 1 bsl 63 - 1, 1 bsl 63, 1 bsl 64 - 1, 1 bsl 64, -(1 bsl 63), -(1 bsl 64), 1 bsl 10_000,
     binary_to_integer(<<"1000000000000000000000000000000">>), 0.0, -0.0, 1.5, 1.7976931348623157e308].

texts() ->
    [<<>>, <<0>>, <<255>>, <<237, 160, 128>>, <<"@">>, <<"a@b/c">>, <<"ä@ö"/utf8>>, <<"/twitter">>, <<"/twitter/MyFriends/@">>,
     <<"<a">>, <<"<a b='">>, <<"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>">>, <<"<a>&#0;&#xFFFFFFFF;</a>">>,
     <<1:1>>, <<1:7>>, binary:part(<<"alice@localhost and more">>, 0, 15), binary:copy(<<"x">>, 70_000)].

others() ->
    Index = index(),
    Hold = twitter_nif:hold_new(),
    Online = twitter_nif:online_new(),
    Rosters = twitter_nif:rosters_new(0),
    ok = twitter_nif:rosters_reset(Rosters),
    Fanout = twitter_nif:recipients(?JID, [], [], []),
    Revived = binary_to_term(term_to_binary(Index)),
    [
        [], [[]], [a | b], "text", [<<"a">> | <<"b">>], {}, {{}}, #{}, #{a => b}, undefined, true, '', mine, friends, both, first_page, unfit,
        nil, self(), dead(), elsewhere(), make_ref(), fun() -> ok end, fun erlang:now/0, hd(erlang:ports()),
        Index, Hold, Online, Rosters, Fanout, twitter_nif:rates_new(), Revived, gone_reference(),
        {text, <<>>}, {element, <<255>>}, {stream, mine}, {post, {friends, <<>>}}, {stream, {friend, <<"@">>}},
        {oldest_first, {before, <<>>}, 1}, {newest_first, {index, -1}, 1 bsl 32}
    ].

dead() ->
    {Pid, Monitor} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Monitor, process, Pid, _} -> Pid end.

%% A process of another node, as the external term format has it.
elsewhere() ->
    binary_to_term(<<131, 88, 119, 11, "other@other", 1:32, 0:32, 1:32>>).

%% The name of an index that its only holder has let go.
gone_reference() ->
    Self = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> Self ! {gone, term_to_binary(index())} end),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end,
    receive {gone, Binary} -> binary_to_term(Binary) end.

large_terms() ->
    Nest = fun(Around, Innermost) -> lists:foldl(fun(_, Inner) -> Around(Inner) end, Innermost, lists:seq(1, ?DEPTH)) end,
    [
        Nest(fun(Inner) -> [Inner] end, []),
        Nest(fun(Inner) -> [a | Inner] end, improper),
        Nest(fun(Inner) -> {Inner} end, {}),
        Nest(fun(Inner) -> {friend, Inner} end, mine),
        Nest(fun(Inner) -> {post, {Inner, <<"1">>}} end, mine),
        Nest(fun(Inner) -> #{a => Inner} end, []),
        Nest(fun(Inner) -> {xmlel, <<"a">>, [], [Inner]} end, {xmlcdata, <<"a">>}),
        list_to_tuple(lists:seq(1, ?DEPTH)),
        lists:duplicate(?DEPTH, <<"a@b">>),
        lists:duplicate(?DEPTH, {<<"a">>, <<"b">>, <<"c">>, both}),
        binary:copy(<<"x">>, 10_000_000),
        binary:copy(<<255>>, 10_000_000),
        binary:copy(<<"\x{301}"/utf8>>, 5_000_000),
        iolist_to_binary([lists:duplicate(?DEPTH, <<"<a>">>), lists:duplicate(?DEPTH, <<"</a>">>)]),
        binary:copy(<<"<a>">>, 3_000_000),
        iolist_to_binary(["<a ", lists:duplicate(?DEPTH, <<"b='c' ">>), "/>"])
    ].

%% In the place of the argument, and of each thing in it.
wrapped(Term, Tuple) when is_tuple(Tuple) -> [Term | [setelement(N, Tuple, Term) || N <- lists:seq(1, tuple_size(Tuple))]];
wrapped(Term, [Head | _] = List) -> [Term, [Term], [Head | Term], List ++ [Term] | [[Inside] || is_tuple(Head), Inside <- wrapped(Term, Head)]];
wrapped(Term, _) -> [Term].

numbered(Old, Number) when is_integer(Old) -> [Number];
numbered(Tuple, Number) when is_tuple(Tuple) ->
    [setelement(N, Tuple, Term) || N <- lists:seq(1, tuple_size(Tuple)), Term <- numbered(element(N, Tuple), Number)];
numbered([Head | Tail], Number) -> [[Term | Tail] || Term <- numbered(Head, Number)];
numbered(_, _) -> [].

any(0) ->
    case rand:uniform(6) of
        1 -> rand:uniform(1 bsl 20);
        2 -> -rand:uniform(1 bsl 70);
        3 -> rand:uniform();
        4 -> rand:bytes(rand:uniform(40));
        5 -> integer_to_binary(rand:uniform(1 bsl 60));
        6 -> one_of(terms())
    end;
any(Depth) ->
    case rand:uniform(8) of
        1 -> [any(Depth - 1) || _ <- lists:seq(1, rand:uniform(5))];
        2 -> [any(Depth - 1) | any(Depth - 1)];
        3 -> list_to_tuple([any(Depth - 1) || _ <- lists:seq(1, rand:uniform(5))]);
        4 -> #{any(0) => any(Depth - 1)};
        5 -> one_of(terms());
        6 -> mutation(element(2, one_of(element(2, world()))));
        _ -> any(0)
    end.

mutation([_ | _] = List) when length(List) > 0 ->
    case rand:uniform(6) of
        1 -> List ++ [one_of(List)];
        2 -> List ++ any(0);
        3 -> tl(List);
        _ -> at(rand:uniform(length(List)), List)
    end;
mutation(Tuple) when is_tuple(Tuple), tuple_size(Tuple) > 0 ->
    case rand:uniform(8) of
        1 -> erlang:append_element(Tuple, any(1));
        2 -> erlang:delete_element(rand:uniform(tuple_size(Tuple)), Tuple);
        _ -> list_to_tuple(at(rand:uniform(tuple_size(Tuple)), tuple_to_list(Tuple)))
    end;
mutation(<<_, _/binary>> = Text) ->
    At = rand:uniform(byte_size(Text)) - 1,
    <<Before:At/binary, Byte, After/binary>> = Text,
    case rand:uniform(4) of
        1 -> <<Before/binary, (rand:uniform(256) - 1), After/binary>>;
        2 -> <<Before/binary, After/binary>>;
        3 -> <<Before/binary, Byte:3>>;
        4 -> any(2)
    end;
mutation(Number) when is_integer(Number) ->
    one_of([Number + 1, Number - 1, -Number, Number bsl 32, Number bsl 64]);
mutation(_) ->
    any(2).

at(N, List) ->
    {Before, [Term | After]} = lists:split(N - 1, List),
    case rand:uniform(2) of
        1 -> Before ++ [mutation(Term) | After];
        2 -> Before ++ [any(2) | After]
    end.

replaced(N, Args, Term) ->
    {Before, [_ | After]} = lists:split(N - 1, Args),
    Before ++ [Term | After].

one_of(List) ->
    lists:nth(rand:uniform(length(List)), List).

%%% The node

-spec atoms() -> non_neg_integer().
atoms() ->
    erlang:system_info(atom_count).

%% @doc The most memory that this process of the system has used, in kilobytes.
-spec peak() -> non_neg_integer().
peak() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Status, "VmHWM:\\s+([0-9]+)", [{capture, all_but_first, binary}]),
    binary_to_integer(Kilobytes).

%% @doc From now on the most counts anew.
-spec forget_peak() -> ok.
forget_peak() ->
    _ = [erlang:garbage_collect(Pid) || Pid <- processes()],
    file:write_file("/proc/self/clear_refs", "5").
