%%% The same work by the NIF and by ETS: node ids, sessions, rights, recipients.
-module(crossing_pairs).

-export([all/1, loaded/3, jid/1, user/1]).

-define(HOST, <<"example.org">>).
-define(AUTHOR, <<"author@example.org">>).

-spec all(crossing_series:options()) -> [crossing_series:row()].
all(Options) ->
    ids(Options) ++ sessions(Options) ++ sees(Options) ++
        lists:append([
            recipients(Options, Count, Size)
         || {Count, Size} <- [{1000, <<"1,000">>}, {100_000, <<"100,000">>}]
        ]).

%% @doc A user's name, and his address.
-spec user(non_neg_integer()) -> binary().
user(N) -> <<"follower", (integer_to_binary(N))/binary>>.

-spec jid(non_neg_integer()) -> binary().
jid(N) -> <<(user(N))/binary, "@example.org">>.

%% @doc Has these readers remembered for an author.
-spec loaded(twitter_nif:rosters(), Author :: binary(), Readers :: [binary()]) -> ok.
loaded(Rosters, Author, Readers) ->
    ok = twitter_nif:roster_changed(Rosters, Author),
    Version = twitter_nif:roster_version(Rosters, Author),
    taken = twitter_nif:roster_load(Rosters, Author, Version, Readers),
    ok.

ids(Options) ->
    [
        crossing_series:pair(
            Options,
            <<"parse_node/1, ", Name/binary>>,
            fun() -> twitter_nif:parse_node(Id) end,
            fun() -> crossing_plain:parse_node(Id) end
        )
     || {Name, Id} <- [
            {<<"one's own stream">>, <<"/twitter/MyStream">>},
            {<<"a friend's">>, <<"/twitter/MyFriends/juliet@capulet.example">>},
            {<<"a friend's post">>, <<"/twitter/MyFriends/juliet@capulet.example/4B2C8277256F1A09">>},
            {<<"none of ours">>, <<"princely_musings">>}
        ]
    ].

%% Both know the same users as online: each with one session, that of this process.
online(Users) ->
    Online = twitter_nif:online_new(),
    Table = ets:new(online, [bag, public, {read_concurrency, true}]),
    lists:foreach(
        fun(User) ->
            true = twitter_nif:arrive(Online, User, self(), <<"phone">>),
            true = ets:insert(Table, {User, {self(), <<"phone">>}})
        end,
        Users
    ),
    {Online, Table}.

sessions(Options) ->
    {Online, Table} = online([user(N) || N <- lists:seq(1, 100_000)]),
    User = user(50_000),
    Row = crossing_series:pair(
        Options,
        <<"sessions/2 of one of 100,000 users">>,
        fun() -> twitter_nif:sessions(Online, User) end,
        fun() -> [Session || {_, Session} <- ets:lookup(Table, User)] end
    ),
    true = ets:delete(Table),
    [Row].

%% The reader stands in the rosters of half of the authors; each roster has 50 others.
sees(Options) ->
    Rosters = twitter_nif:rosters_new(1 bsl 30),
    Rights = ets:new(rights, [set, public, {read_concurrency, true}]),
    Reader = <<"reader@example.org">>,
    Authors = [<<"author", (integer_to_binary(N))/binary, "@example.org">> || N <- lists:seq(1, 500)],
    Rows = [
        {Author, [jid(N * 50 + M) || M <- lists:seq(1, 50)] ++ [Reader || N rem 2 =:= 0]}
     || {N, Author} <- lists:enumerate(Authors)
    ],
    lists:foreach(
        fun({Author, Readers}) ->
            ok = loaded(Rosters, Author, Readers),
            true = ets:insert(Rights, [{{Author, One}} || One <- Readers])
        end,
        Rows
    ),
    Row = crossing_series:pair(
        Options,
        <<"sees/3: 500 authors">>,
        fun() -> twitter_nif:sees(Rosters, Reader, Authors) end,
        fun() -> [ets:member(Rights, {Author, Reader}) || Author <- Authors] end
    ),
    true = ets:delete(Rights),
    [Row].

%% Of the followers 5 % are online.
recipients(Options, Count, Size) ->
    {Online, Table} = online([user(N) || N <- lists:seq(1, Count), N rem 20 =:= 0]),
    Here = [{?HOST, Online}],
    Rosters = twitter_nif:rosters_new(1 bsl 30),
    Numbers = lists:seq(1, Count),
    ok = loaded(Rosters, ?AUTHOR, [jid(N) || N <- Numbers]),
    Followers = ets:new(followers, [set, public, {read_concurrency, true}]),
    true = ets:insert(Followers, {?AUTHOR, [{user(N), ?HOST} || N <- Numbers]}),
    Obvious = fun() ->
        [{_, All}] = ets:lookup(Followers, ?AUTHOR),
        crossing_plain:recipients(Table, All)
    end,
    Row = crossing_series:pair(
        Options,
        <<"recipients of ", Size/binary, " followers, 5 % online">>,
        fun() ->
            {ok, Fanout} = twitter_nif:remembered_recipients(Rosters, ?AUTHOR, Here, [?HOST]),
            walked(Rosters, Fanout, Here)
        end,
        Obvious
    ),
    true = ets:delete(Table),
    true = ets:delete(Followers),
    [Row].

walked(Rosters, Fanout, Here) ->
    case twitter_nif:next_portion(Fanout, Here) of
        {portion, Portion} ->
            Portion ++ walked(Rosters, Fanout, Here);
        recheck ->
            {ok, checked} = twitter_nif:remembered_recheck(Rosters, ?AUTHOR, Fanout),
            walked(Rosters, Fanout, Here);
        done ->
            []
    end.
