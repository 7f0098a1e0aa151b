%%% Runs inside the private server, for nif_SUITE: an index lives as long as a process of its
%%% own node holds it, so whole conversations with one must happen there.
-module(twitter_nif_probe).

-export([index_shapes/0, index_refusals/0, fanout_shapes/0, large_arguments/0, fill/1, drop_indexes/2, resident/0, attempt/2]).

-define(AUTHOR, <<"alice@localhost">>).
-define(OTHER, <<"bob@localhost">>).

%% @doc Every answer that the functions of an index give.
-spec index_shapes() -> ok.
index_shapes() ->
    Index = twitter_nif:index_new(),
    Page = fun(Order, Anchor, Limit) -> twitter_nif:page(Index, [?AUTHOR], {Order, Anchor, Limit}) end,
    {error, {not_loaded, [?AUTHOR]}} = Page(oldest_first, first_page, 10),
    {error, {not_loaded, [?AUTHOR]}} = twitter_nif:find(Index, [?AUTHOR], [<<"a">>]),
    {ok, {[], <<>>, <<>>, 0, 0}} = twitter_nif:page(Index, [], {oldest_first, first_page, 10}),
    Version = twitter_nif:version(Index, ?AUTHOR),
    true = is_integer(Version) andalso Version >= 0,
    taken = twitter_nif:load(Index, ?AUTHOR, Version, [{3, <<"c">>}, {1, <<"a">>}, {2, <<"b">>}]),
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
    {ok, [A]} = twitter_nif:find(Index, [?AUTHOR], [<<"a">>]),
    {ok, []} = twitter_nif:find(Index, [?AUTHOR], [<<"nothing">>]),
    {ok, []} = twitter_nif:find(Index, [?AUTHOR], []),
    {ok, [C, A]} = twitter_nif:find(Index, [?AUTHOR], [<<"c">>, <<"nothing">>, <<"a">>]),
    Next = twitter_nif:version(Index, ?AUTHOR),
    taken = twitter_nif:put(Index, ?AUTHOR, Next, 4, <<"d">>),
    stale = twitter_nif:put(Index, ?AUTHOR, Next, 5, <<"e">>),
    stale = twitter_nif:remove(Index, ?AUTHOR, Next, <<"d">>),
    stale = twitter_nif:load(Index, ?AUTHOR, Next, []),
    taken = twitter_nif:remove(Index, ?AUTHOR, twitter_nif:version(Index, ?AUTHOR), <<"d">>),
    {ok, {[A, B, C], _, _, _, _}} = Page(oldest_first, first_page, 10),
    ok = twitter_nif:forget(Index, ?AUTHOR),
    {error, {not_loaded, [?AUTHOR]}} = Page(oldest_first, first_page, 10),
    {error, {not_loaded, Missing}} =
        twitter_nif:page(Index, [?AUTHOR, ?OTHER], {oldest_first, first_page, 10}),
    [?AUTHOR, ?OTHER] = lists:sort(Missing),
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
        {<<>>, <<"other.example">>, <<>>, both}
    ],
    Fanout = twitter_nif:recipients(?AUTHOR, Lines, Here),
    {portion, [
        {<<"bob">>, <<"localhost">>, [Phone]},
        {<<"eve">>, <<"other.example">>, elsewhere},
        {<<>>, <<"other.example">>, elsewhere}
    ]} = twitter_nif:next_portion(Fanout, Here),
    done = twitter_nif:next_portion(Fanout, Here),
    %% Who leaves before his turn gets nothing.
    Second = twitter_nif:recipients(?AUTHOR, Lines, Here),
    true = twitter_nif:leave(Online, <<"bob">>, self()),
    false = twitter_nif:leave(Online, <<"bob">>, self()),
    {portion, [{<<"eve">>, _, elsewhere}, {<<>>, _, elsewhere}]} = twitter_nif:next_portion(Second, Here),
    Many = [{integer_to_binary(N), <<"other.example">>, <<>>, both} || N <- lists:seq(1, 10_000)],
    {Even, _Odd} = lists:partition(fun({N, _, _, _}) -> binary_to_integer(N) rem 2 =:= 0 end, Many),
    Long = twitter_nif:recipients(?AUTHOR, Many ++ Many, Here),
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
            {all_sessions, []}, {recipients, [Lines, Here]}, {next_portion, [Here]}, {recheck, [Lines]}]] ++
            [{arrive, [Online, W, self(), <<>>]} || W <- [[] | Wrong]] ++
            [{arrive, [Online, <<"bob">>, W, <<>>]} || W <- [[] | Wrong]] ++
            [{arrive, [Online, <<"bob">>, self(), W]} || W <- [[] | Wrong]] ++
            [{recipients, [?AUTHOR, W, Here]} || W <- Wrong] ++
            [{recipients, [?AUTHOR, [W], Here]} || W <- Wrong] ++
            [{recipients, [?AUTHOR, Lines, W]} || W <- Wrong] ++
            [{recipients, [?AUTHOR, Lines, [W]]} || W <- Wrong] ++
            [{recheck, [Long, W]} || W <- Wrong] ++ [{next_portion, [Long, [W]]} || W <- Wrong],
    [] = [Call || {F, Args} = Call <- Calls, attempt(F, Args) =/= badarg],
    ok.

portions(Fanout, Here, Users) ->
    case twitter_nif:next_portion(Fanout, Here) of
        {portion, Portion} -> portions(Fanout, Here, [User || {User, _, _} <- Portion] ++ Users);
        recheck -> {Users, rechecked};
        done -> {Users, done}
    end.

%% @doc The calls with a wrong argument that did anything but raise badarg.
-spec index_refusals() -> [{atom(), [term()], Outcome :: term()}].
index_refusals() ->
    Index = twitter_nif:index_new(),
    taken = twitter_nif:load(Index, ?AUTHOR, twitter_nif:version(Index, ?AUTHOR), [{1, <<"a">>}]),
    Request = {oldest_first, first_page, 10},
    Wrong = [undefined, -1, 1.5, 1 bsl 70, "list", [], #{}, {}, self(), make_ref(), <<1:3>>],
    Calls =
        [{version, [W, ?AUTHOR]} || W <- Wrong] ++
            [{version, [Index, W]} || W <- [<<>>, <<"@">>, <<"a@b/c">>, <<255>> | Wrong]] ++
            [{load, [Index, ?AUTHOR, W, []]} || W <- Wrong] ++
            [{load, [Index, ?AUTHOR, 0, W]} || W <- Wrong -- [[], "list"]] ++
            [{load, [Index, ?AUTHOR, 0, [{W, <<"a">>}]]} || W <- Wrong] ++
            [{load, [Index, ?AUTHOR, 0, [{1, W}]]} || W <- Wrong] ++
            [{load, [Index, ?AUTHOR, 0, [{1, <<"a">>} | W]]} || W <- Wrong -- [[], "list"]] ++
            [{put, [Index, ?AUTHOR, 0, W, <<"a">>]} || W <- Wrong] ++
            [{put, [Index, ?AUTHOR, 0, 1, W]} || W <- Wrong] ++
            [{remove, [Index, ?AUTHOR, 0, W]} || W <- Wrong] ++
            [{forget, [Index, W]} || W <- Wrong] ++
            [{page, [Index, W, Request]} || W <- Wrong -- [[]]] ++
            [{page, [Index, [W], Request]} || W <- Wrong] ++
            [{page, [Index, [?AUTHOR], W]} || W <- Wrong] ++
            [{page, [Index, [?AUTHOR], {W, first_page, 1}]} || W <- Wrong] ++
            [{page, [Index, [?AUTHOR], {oldest_first, W, 1}]} || W <- Wrong] ++
            [{page, [Index, [?AUTHOR], {oldest_first, {'after', W}, 1}]} || W <- Wrong] ++
            [{page, [Index, [?AUTHOR], {oldest_first, {index, W}, 1}]} || W <- Wrong] ++
            [{page, [Index, [?AUTHOR], {oldest_first, first_page, W}]} || W <- Wrong] ++
            [{find, [Index, [?AUTHOR], W]} || W <- Wrong -- [[]]] ++
            [{find, [Index, [?AUTHOR], [W]]} || W <- Wrong],
    Odd = [{F, Args, Outcome} || {F, Args} <- Calls, Outcome <- [attempt(F, Args)], Outcome =/= badarg],
    %% No harm was done by any of them.
    {ok, {[{?AUTHOR, <<"a">>}], _, _, 0, 1}} = twitter_nif:page(Index, [?AUTHOR], Request),
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
    {[_ | _], rechecked} = portions(twitter_nif:recipients(?AUTHOR, Lines, []), [], []),
    %% The same contact a hundred thousand times is one.
    [_] = twitter_nif:friends(?AUTHOR, lists:duplicate(100_000, hd(Lines))),
    Ids = [User || {User, _, _, _} <- Lines],
    200_000 = length(lists:append(twitter_nif:batches(Ids, 1))),
    [Ids] = twitter_nif:batches(Ids, 16#7fffffff),
    ok.

%% @doc Makes an index with that many posts.
-spec fill(pos_integer()) -> twitter_nif:index().
fill(Count) ->
    Index = twitter_nif:index_new(),
    Posts = [{N, <<"a post with an id of its own ", (integer_to_binary(N))/binary>>} || N <- lists:seq(1, Count)],
    taken = twitter_nif:load(Index, ?AUTHOR, twitter_nif:version(Index, ?AUTHOR), Posts),
    {ok, {[_], _, _, _, Count}} = twitter_nif:page(Index, [?AUTHOR], {newest_first, first_page, 1}),
    Index.

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
