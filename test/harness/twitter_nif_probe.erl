%%% Runs inside the private server, for nif_SUITE: an index lives as long as a process of its
%%% own node holds it, so whole conversations with one must happen there.
-module(twitter_nif_probe).

-export([index_shapes/0, payload_shapes/0, index_refusals/0, fanout_shapes/0, large_arguments/0, fill/1, drop_indexes/2, resident/0, attempt/2]).

-define(AUTHOR, <<"alice@localhost">>).
-define(OTHER, <<"bob@localhost">>).

%% @doc Every answer that the functions of an index give.
-spec index_shapes() -> ok.
index_shapes() ->
    Index = index(),
    Hold = twitter_nif:hold_new(),
    Page = fun(Order, Anchor, Limit) -> bare(page(Index, [?AUTHOR], {Order, Anchor, Limit})) end,
    Find = fun(Ids) -> bare(twitter_nif:find(Index, Hold, [?AUTHOR], none, Ids, 0)) end,
    {error, {not_loaded, [?AUTHOR]}} = Page(oldest_first, first_page, 10),
    {error, {not_loaded, [?AUTHOR]}} = Find([<<"a">>]),
    {ok, {[], <<>>, <<>>, 0, 0}} = page(Index, [], {oldest_first, first_page, 10}),
    false = twitter_nif:hold(Index, Hold, ?AUTHOR),
    Version = twitter_nif:version(Index, ?AUTHOR),
    true = is_integer(Version) andalso Version > 0,
    taken = twitter_nif:load(Index, Hold, ?AUTHOR, Version, [{3, <<"c">>}, {1, <<"a">>}, {2, <<"b">>}]),
    true = twitter_nif:hold(Index, Hold, ?AUTHOR),
    [A, B, C] = [{?AUTHOR, Id} || Id <- [<<"a">>, <<"b">>, <<"c">>]],
    {ok, {[A, B, C], First, Last, 0, 3}} = Page(oldest_first, first_page, 10),
    {ok, {[C, B, A], Last, First, 0, 3}} = Page(newest_first, first_page, 10),
    {ok, {[B, C], _, Last, 1, 3}} = Page(oldest_first, {'after', First}, 10),
    {ok, {[A, B], First, _, 0, 3}} = Page(oldest_first, {before, Last}, 10),
    {ok, {[C], Last, Last, 2, 3}} = Page(oldest_first, last_page, 1),
    {ok, {[B], _, _, 1, 3}} = Page(oldest_first, {index, 1}, 1),
    {ok, {[], <<>>, <<>>, _, 3}} = Page(oldest_first, {index, 16#ffffffff}, 1),
    {ok, {[], <<>>, <<>>, _, 3}} = Page(oldest_first, first_page, 0),
    {error, bad_cursor} = Page(oldest_first, {'after', <<"no cursor">>}, 10),
    {error, bad_cursor} = Page(oldest_first, {before, binary:copy(<<"A">>, 1_000_000)}, 10),
    {ok, [A]} = Find([<<"a">>]),
    {ok, []} = Find([<<"nothing">>]),
    {ok, []} = Find([]),
    {ok, [C, A]} = Find([<<"c">>, <<"nothing">>, <<"a">>]),
    Next = twitter_nif:version(Index, ?AUTHOR),
    taken = twitter_nif:put(Index, ?AUTHOR, Next, 4, <<"d">>, <<"payload">>),
    stale = twitter_nif:put(Index, ?AUTHOR, Next, 5, <<"e">>, <<"payload">>),
    stale = twitter_nif:remove(Index, ?AUTHOR, Next, <<"d">>),
    stale = twitter_nif:load(Index, Hold, ?AUTHOR, Next, []),
    taken = twitter_nif:remove(Index, ?AUTHOR, twitter_nif:version(Index, ?AUTHOR), <<"d">>),
    {ok, {[A, B, C], _, _, _, _}} = Page(oldest_first, first_page, 10),
    ok = twitter_nif:forget(Index, ?AUTHOR),
    {error, {not_loaded, [?AUTHOR]}} = Page(oldest_first, first_page, 10),
    {error, {not_loaded, Missing}} = page(Index, [?AUTHOR, ?OTHER], {oldest_first, first_page, 10}),
    [?AUTHOR, ?OTHER] = lists:sort(Missing),
    %% What a request holds is there for it, whatever became of the index, until it is released.
    {ok, [A]} = Find([<<"a">>]),
    ok = twitter_nif:release(Hold),
    {error, {not_loaded, [?AUTHOR]}} = Find([<<"a">>]),
    ok.

%% @doc How payloads come and go.
-spec payload_shapes() -> ok.
payload_shapes() ->
    Index = index(),
    All = {oldest_first, first_page, 10},
    taken = twitter_nif:load(Index, twitter_nif:hold_new(), ?AUTHOR, twitter_nif:version(Index, ?AUTHOR), [
        {1, <<"a">>}, {2, <<"b">>}, {3, <<"c">>}
    ]),
    Read = fun(MaxBytes) ->
        {ok, {Posts, _, _, _, 3}} = twitter_nif:page(Index, twitter_nif:hold_new(), [?AUTHOR], none, All, MaxBytes),
        [Cached || {?AUTHOR, _, Cached} <- Posts]
    end,
    Version = twitter_nif:version(Index, ?AUTHOR),
    [Version, Version, Version] = Read(1000),
    Keep = fun(List) -> twitter_nif:keep_payloads(Index, [{?AUTHOR, V, Id, P} || {V, Id, P} <- List]) end,
    ok = Keep([]),
    ok = Keep([{Version, <<"a">>, <<"of a">>}, {Version + 1, <<"b">>, <<"stale">>}, {Version, <<"c">>, <<>>}]),
    [<<"of a">>, Version, <<>>] = Read(1000),
    [<<"of a">>, Version, Version] = Read(1),
    [Version, Version, Version] = Read(0),
    {ok, [{?AUTHOR, <<"c">>, <<>>}, {?AUTHOR, <<"b">>, Version}]} =
        twitter_nif:find(Index, twitter_nif:hold_new(), [?AUTHOR], none, [<<"c">>, <<"b">>], 1000),
    Large = binary:copy(<<"0123456789abcdef">>, 4096),
    taken = twitter_nif:put(Index, ?AUTHOR, Version, 2, <<"b">>, Large),
    [<<"of a">>, Large, <<>>] = Read(100_000),
    {_, Bytes, 1, 3, 3} = twitter_nif:memory(Index),
    true = Bytes > 65_536 andalso Bytes < 67_000,
    taken = twitter_nif:remove(Index, ?AUTHOR, twitter_nif:version(Index, ?AUTHOR), <<"c">>),
    {_, _, 1, 2, 2} = twitter_nif:memory(Index),
    ok = twitter_nif:set_budgets(Index, 0, 1),
    %% The version is still known.
    {_, 0, 1, 0, 0} = twitter_nif:memory(Index),
    {error, {not_loaded, [?AUTHOR]}} = page(Index, [?AUTHOR], All),
    ok.

%% @doc Every answer that the functions of a fan-out give.
-spec fanout_shapes() -> ok.
fanout_shapes() ->
    Online = twitter_nif:online_new(),
    Here = [{<<"localhost">>, Online}],
    Phone = {self(), <<"phone">>},
    [] = twitter_nif:sessions(Online, <<"bob">>),
    true = twitter_nif:arrive(Online, <<"bob">>, self(), <<"phone">>),
    false = twitter_nif:arrive(Online, <<"bob">>, self(), <<"phone">>),
    [Phone] = twitter_nif:sessions(Online, <<"bob">>),
    [{<<"bob">>, Phone}] = twitter_nif:all_sessions(Online),
    Lines = [
        {<<"bob">>, <<"localhost">>, <<>>, both},
        {<<"off">>, <<"localhost">>, <<>>, both},
        {<<"to">>, <<"localhost">>, <<>>, to},
        {<<"eve">>, <<"other.example">>, <<>>, from},
        {<<"alice">>, <<"localhost">>, <<"Myself">>, both},
        {<<>>, <<"other.example">>, <<>>, both},
        {<<"zoe">>, <<"z.example">>, <<>>, both},
        {<<"dan">>, <<"far.example">>, <<>>, from},
        {<<"fay">>, <<"far.example">>, <<>>, both},
        {<<"gil">>, <<"away.example">>, <<>>, to}
    ],
    Hosts = [<<"localhost">>, <<"other.example">>],
    Fanout = twitter_nif:recipients(?AUTHOR, Lines, Here, Hosts),
    [<<"far.example">>, <<"z.example">>] = twitter_nif:domains(Fanout),
    {portion, [
        {0, <<"bob">>, <<"localhost">>, [Phone]},
        {1, <<"eve">>, <<"other.example">>, elsewhere},
        {2, <<>>, <<"other.example">>, elsewhere}
    ]} = twitter_nif:next_portion(Fanout, Here),
    ok = handed_over_once(Fanout, Lines, Here),
    done = twitter_nif:next_portion(Fanout, Here),
    %% Who leaves before his turn gets nothing.
    Second = twitter_nif:recipients(?AUTHOR, Lines, Here, Hosts),
    true = twitter_nif:leave(Online, <<"bob">>, self()),
    false = twitter_nif:leave(Online, <<"bob">>, self()),
    {portion, [{1, <<"eve">>, _, elsewhere}, {2, <<>>, _, elsewhere}]} = twitter_nif:next_portion(Second, Here),
    Many = [{integer_to_binary(N), <<"other.example">>, <<>>, both} || N <- lists:seq(1, 10_000)],
    {Even, _Odd} = lists:partition(fun({N, _, _, _}) -> binary_to_integer(N) rem 2 =:= 0 end, Many),
    Long = twitter_nif:recipients(?AUTHOR, Many ++ Many, Here, Hosts),
    {First, rechecked} = portions(Long, Here, []),
    ok = twitter_nif:recheck(Long, Even),
    {Then, Last} = portions(Long, Here, []),
    true = lists:member(Last, [rechecked, done]),
    [] = [N || N <- Then, binary_to_integer(N) rem 2 =:= 1],
    [] = [N || N <- Then, lists:member(N, First)],
    ok = twitter_nif:recheck(Long, []),
    done = twitter_nif:next_portion(Long, Here),
    Wrong = [undefined, -1, 1.5, "list", #{}, {}, <<255>>, make_ref()],
    Calls =
        [{F, [W | Rest]} || W <- [[] | Wrong], {F, Rest} <- [
            {arrive, [<<"bob">>, self(), <<>>]}, {leave, [<<"bob">>, self()]}, {sessions, [<<"bob">>]},
            {all_sessions, []}, {recipients, [Lines, Here, Hosts]}, {domains, []}, {next_portion, [Here]}, {recheck, [Lines]},
            {hand_over, [0, <<>>, self(), []]}, {resume, []}]] ++
            [{arrive, [Online, W, self(), <<>>]} || W <- [[] | Wrong]] ++
            [{arrive, [Online, <<"bob">>, W, <<>>]} || W <- [[] | Wrong]] ++
            [{arrive, [Online, <<"bob">>, self(), W]} || W <- [[] | Wrong]] ++
            [{recipients, [?AUTHOR, W, Here, Hosts]} || W <- Wrong] ++
            [{recipients, [?AUTHOR, [W], Here, Hosts]} || W <- Wrong] ++
            [{recipients, [?AUTHOR, Lines, W, Hosts]} || W <- Wrong] ++
            [{recipients, [?AUTHOR, Lines, [W], Hosts]} || W <- Wrong] ++
            [{recipients, [?AUTHOR, Lines, Here, W]} || W <- Wrong] ++
            [{recipients, [?AUTHOR, Lines, Here, [W]]} || W <- [[] | Wrong]] ++
            [{hand_over, [Long, W, <<>>, self(), [x]]} || W <- [[] | Wrong]] ++
            [{hand_over, [Long, 0, W, self(), [x]]} || W <- [[] | Wrong]] ++
            [{hand_over, [Long, 0, <<>>, W, [x]]} || W <- [[] | Wrong]] ++
            [{hand_over, [Long, 0, <<>>, self(), W]} || W <- [[x | y] | Wrong -- ["list"]]] ++
            [{recheck, [Long, W]} || W <- Wrong] ++ [{next_portion, [Long, [W]]} || W <- Wrong],
    [] = [Call || {F, Args} = Call <- Calls, attempt(F, Args) =/= badarg],
    ok.

%% Whatever is sent, and whoever goes on: no session gets it twice.
handed_over_once(Fanout, Lines, Here) ->
    Send = fun(Whom, Resource) -> twitter_nif:hand_over(Fanout, Whom, Resource, self(), [{Whom, 1}, {Whom, 2}]) end,
    true = Send(0, <<"phone">>),
    false = Send(0, <<"phone">>),
    true = Send(0, <<"desk">>),
    false = Send(0, <<"desk">>),
    true = Send(1, <<>>),
    false = Send(0, <<"new">>),
    false = Send(author, <<"desk">>),
    [{0, 1}, {0, 2}, {0, 1}, {0, 2}, {1, 1}, {1, 2}] = received(),
    ok = twitter_nif:resume(Fanout),
    ok = twitter_nif:recheck(Fanout, Lines),
    {portion, [{0, <<"eve">>, _, elsewhere}, {1, <<>>, _, elsewhere}]} = twitter_nif:next_portion(Fanout, Here),
    false = Send(0, <<>>),
    true = Send(1, <<>>),
    [{1, 1}, {1, 2}] = received(),
    ok.

received() ->
    receive
        {_, _} = Message -> [Message | received()]
    after 0 -> []
    end.

portions(Fanout, Here, Users) ->
    case twitter_nif:next_portion(Fanout, Here) of
        {portion, Portion} -> portions(Fanout, Here, [User || {_, User, _, _} <- Portion] ++ Users);
        recheck -> {Users, rechecked};
        done -> {Users, done}
    end.

%% @doc The calls with a wrong argument that did anything but raise badarg.
-spec index_refusals() -> [{atom(), [term()], Outcome :: term()}].
index_refusals() ->
    Index = index(),
    Hold = twitter_nif:hold_new(),
    taken = twitter_nif:load(Index, Hold, ?AUTHOR, twitter_nif:version(Index, ?AUTHOR), [{1, <<"a">>}]),
    Request = {oldest_first, first_page, 10},
    Wrong = [undefined, -1, 1.5, 1 bsl 70, "list", [], #{}, {}, self(), make_ref(), <<1:3>>],
    NoReference = [Index | Wrong],
    Reads = [{page, [Request, 1]}, {find, [[<<"a">>], 1]}, {missed, [[{0, 1}], 1, 1]}],
    Heard = {1, <<"a">>, 1},
    Calls =
        [{index_new, [W, 1]} || W <- Wrong] ++
            [{index_new, [1, W]} || W <- Wrong] ++
            [{set_budgets, [W, 1, 1]} || W <- [Hold | Wrong]] ++
            [{set_budgets, [Index, W, 1]} || W <- Wrong] ++
            [{set_budgets, [Index, 1, W]} || W <- Wrong] ++
            [{memory, [W]} || W <- [Hold | Wrong]] ++
            [{hold, [W, Hold, ?AUTHOR]} || W <- [Hold | Wrong]] ++
            [{hold, [Index, W, ?AUTHOR]} || W <- NoReference] ++
            [{hold, [Index, Hold, W]} || W <- Wrong] ++
            [{release, [W]} || W <- NoReference] ++
            [{version, [W, ?AUTHOR]} || W <- Wrong] ++
            [{version, [Index, W]} || W <- [<<>>, <<"@">>, <<"a@b/c">>, <<255>> | Wrong]] ++
            [{load, [Index, W, ?AUTHOR, 0, []]} || W <- NoReference] ++
            [{load, [Index, Hold, ?AUTHOR, W, []]} || W <- Wrong] ++
            [{load, [Index, Hold, ?AUTHOR, 0, W]} || W <- Wrong -- [[], "list"]] ++
            [{load, [Index, Hold, ?AUTHOR, 0, [{W, <<"a">>}]]} || W <- Wrong] ++
            [{load, [Index, Hold, ?AUTHOR, 0, [{1, W}]]} || W <- Wrong] ++
            [{load, [Index, Hold, ?AUTHOR, 0, [{1, <<"a">>} | W]]} || W <- Wrong -- [[], "list"]] ++
            [{put, [Index, ?AUTHOR, 0, W, <<"a">>, <<>>]} || W <- Wrong] ++
            [{put, [Index, ?AUTHOR, 0, 1, W, <<>>]} || W <- Wrong] ++
            [{put, [Index, ?AUTHOR, 0, 1, <<"a">>, W]} || W <- Wrong] ++
            [{remove, [Index, ?AUTHOR, 0, W]} || W <- Wrong] ++
            [{keep_payloads, [Index, W]} || W <- Wrong -- [[]]] ++
            [
                {keep_payloads, [Index, [setelement(N, {?AUTHOR, 0, <<"a">>, <<>>}, W)]]}
             || N <- [1, 2, 3, 4], W <- Wrong
            ] ++
            [{forget, [Index, W]} || W <- Wrong] ++
            [{F, [Index, W, [?AUTHOR], none | Rest]} || {F, Rest} <- Reads, W <- NoReference] ++
            [{F, [Index, Hold, W, none | Rest]} || {F, Rest} <- Reads, W <- Wrong -- [[]]] ++
            [{F, [Index, Hold, [W], none | Rest]} || {F, Rest} <- Reads, W <- Wrong] ++
            [{F, [Index, Hold, [?AUTHOR], W | Rest]} || {F, Rest} <- Reads, W <- [<<>>, <<"@">>, <<255>> | Wrong]] ++
            [{page, [Index, Hold, [?AUTHOR], none, W, 1]} || W <- Wrong] ++
            [{page, [Index, Hold, [?AUTHOR], none, {W, first_page, 1}, 1]} || W <- Wrong] ++
            [{page, [Index, Hold, [?AUTHOR], none, {oldest_first, W, 1}, 1]} || W <- Wrong] ++
            [{page, [Index, Hold, [?AUTHOR], none, {oldest_first, {'after', W}, 1}, 1]} || W <- Wrong] ++
            [{page, [Index, Hold, [?AUTHOR], none, {oldest_first, {index, W}, 1}, 1]} || W <- Wrong] ++
            [{page, [Index, Hold, [?AUTHOR], none, {oldest_first, first_page, W}, 1]} || W <- Wrong] ++
            [{page, [Index, Hold, [?AUTHOR], none, Request, W]} || W <- Wrong] ++
            [{find, [Index, Hold, [?AUTHOR], none, [W], 1]} || W <- Wrong] ++
            [{find, [Index, Hold, [?AUTHOR], none, [], W]} || W <- Wrong] ++
            [{load_heard, [Index, Hold, ?AUTHOR, 0, [setelement(N, Heard, W)], []]} || N <- [1, 2, 3], W <- Wrong] ++
            [{load_heard, [Index, Hold, ?AUTHOR, 0, [], W]} || W <- Wrong -- [[]]] ++
            [{load_heard, [Index, Hold, ?AUTHOR, 0, [], [{W, <<>>}]]} || W <- [64, 256 | Wrong]] ++
            [{load_heard, [Index, Hold, ?AUTHOR, 0, [], [{1, W}]]} || W <- Wrong] ++
            [{put_heard, [Index, ?AUTHOR, 0, setelement(N, Heard, W), <<>>, []]} || N <- [1, 2, 3], W <- Wrong] ++
            [{put_heard, [Index, ?AUTHOR, 0, Heard, W, []]} || W <- Wrong] ++
            [{put_heard, [Index, ?AUTHOR, 0, Heard, <<>>, W]} || W <- Wrong -- [[]]] ++
            [{set_heard, [Index, ?AUTHOR, 0, W]} || W <- Wrong -- [[]]] ++
            [{set_heard, [Index, ?AUTHOR, 0, [{W, <<>>}]]} || W <- [64, 256 | Wrong]],
    Odd = [{F, Args, Outcome} || {F, Args} <- Calls, Outcome <- [attempt(F, Args)], Outcome =/= badarg],
    %% No harm was done by any of them.
    {ok, {[{?AUTHOR, <<"a">>}], _, _, 0, 1}} = bare(page(Index, [?AUTHOR], Request)),
    Odd.

%% @doc What a call does: the error it raises, or what it returns.
-spec attempt(atom(), [term()]) -> badarg | {raised, term()} | {returned, term()}.
attempt(Function, Args) ->
    try apply(twitter_nif, Function, Args) of
        Result -> {returned, Result}
    catch
        error:badarg -> badarg;
        Class:Reason -> {raised, {Class, Reason}}
    end.

%% @doc What a client or a roster could make as large as it likes.
-spec large_arguments() -> ok.
large_arguments() ->
    Large = binary:copy(<<"0123456789abcdef">>, 1_000_000),
    16_000_000 = byte_size(twitter_nif:text({text, Large})),
    true = byte_size(twitter_nif:title({text, Large})) < 1000,
    {post, {mine, Large}} = twitter_nif:parse_node(<<"/twitter/MyStream/", Large/binary>>),
    unknown = twitter_nif:parse_node(<<"/twitter/MyFriends/", Large/binary>>),
    badarg = attempt(stored_node, [Large]),
    {error, no_author} = twitter_nif:author_of_stored(Large),
    Lines = [
        {<<"user", (integer_to_binary(N))/binary>>, <<"localhost">>, <<>>, both}
     || N <- lists:seq(1, 200_000)
    ],
    200_000 = length(twitter_nif:friends(?AUTHOR, Lines)),
    {[_ | _], rechecked} = portions(twitter_nif:recipients(?AUTHOR, Lines, [], [<<"localhost">>]), [], []),
    %% The same contact a hundred thousand times is one.
    [_] = twitter_nif:friends(?AUTHOR, lists:duplicate(100_000, hd(Lines))),
    Ids = [User || {User, _, _, _} <- Lines],
    200_000 = length(lists:append(twitter_nif:batches(Ids, 1))),
    [Ids] = twitter_nif:batches(Ids, 16#7fffffff),
    ok.

%% @doc Makes an index with that many posts and their payloads.
-spec fill(pos_integer()) -> twitter_nif:index().
fill(Count) ->
    Index = index(),
    Id = fun(N) -> <<"a post with an id of its own ", (integer_to_binary(N))/binary>> end,
    Version = twitter_nif:version(Index, ?AUTHOR),
    Posts = [{N, Id(N)} || N <- lists:seq(1, Count)],
    taken = twitter_nif:load(Index, twitter_nif:hold_new(), ?AUTHOR, Version, Posts),
    Payload = binary:copy(<<"payload ">>, 25),
    ok = twitter_nif:keep_payloads(Index, [{?AUTHOR, Version, Id(N), Payload} || N <- lists:seq(1, Count)]),
    {ok, {[_], _, _, _, Count}} = page(Index, [?AUTHOR], {newest_first, first_page, 1}),
    {_, _, 1, Count, Count} = twitter_nif:memory(Index),
    Index.

index() ->
    twitter_nif:index_new(1 bsl 28, 1 bsl 26).

page(Index, Authors, Request) ->
    twitter_nif:page(Index, twitter_nif:hold_new(), Authors, none, Request, 0).

%% Without payloads.
bare({ok, {Posts, First, Last, At, Count}}) -> {ok, {names(Posts), First, Last, At, Count}};
bare({ok, Posts}) -> {ok, names(Posts)};
bare(Error) -> Error.

names(Posts) ->
    [{Author, Id} || {Author, Id, Version} <- Posts, is_integer(Version)].

%% @doc Makes and drops indexes, each in a process of its own.
-spec drop_indexes(Times :: non_neg_integer(), Count :: pos_integer()) -> ok.
drop_indexes(Times, Count) ->
    lists:foreach(
        fun(_) ->
            {Pid, Monitor} = spawn_monitor(fun() -> _ = fill(Count) end),
            receive
                {'DOWN', Monitor, process, Pid, normal} -> ok
            end
        end,
        lists:seq(1, Times)
    ).

%% @doc Memory of the server's process, in kilobytes.
-spec resident() -> non_neg_integer().
resident() ->
    _ = [erlang:garbage_collect(Pid) || Pid <- processes()],
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Status, "VmRSS:\\s+([0-9]+)", [{capture, all_but_first, binary}]),
    binary_to_integer(Kilobytes).
