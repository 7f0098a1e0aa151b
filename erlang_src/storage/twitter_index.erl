%%% @doc The index of a pubsub host: who posted what and when, and what recent posts say, in memory, in
%%% the core. It is a cache of what is stored; a stream is loaded when it is first read, and what was
%%% not used for long goes when there is no room.
-module(twitter_index).

-export([new/1, resize/1, memory/1, warm/2, page/5, find/5, missed/6, read/3, ids/2, refresh/4, forget/2, encode/1]).
-export([change/3, forget_here/2, forget_all/1]).
-export_type([reader/0, change/0]).

-type reader() :: twitter_nif:jid() | none.
%% For whom it is looked at, where not all readers see the same: at posts of authors on other servers. `none' sees
%% nothing of those.

-type change() :: {put, twitter_store:post()} | {remove, Id :: binary()} | forget.
%% What is stored of an author now.

%% @doc An empty index, as large as the options of the vhost allow.
-spec new(ServerHost :: binary()) -> twitter_nif:index().
new(ServerHost) ->
    twitter_nif:index_new(mod_twitter_opt:index_size(ServerHost),
                          mod_twitter_opt:cache_size(ServerHost)).

%% @doc The options of the vhost have changed.
-spec resize(twitter_service:served()) -> ok.
resize(#{server_host := ServerHost, index := Index}) ->
    twitter_nif:set_budgets(Index, mod_twitter_opt:index_size(ServerHost),
                            mod_twitter_opt:cache_size(ServerHost)).

%% @doc What is in memory for a pubsub host, as {@link twitter_nif:memory/1} counts it.
-spec memory(Host :: binary()) ->
          {StreamBytes :: non_neg_integer(), PayloadBytes :: non_neg_integer(),
           Authors :: non_neg_integer(), Posts :: non_neg_integer(), Payloads :: non_neg_integer()}.
memory(Host) ->
    {ok, #{index := Index}} = twitter_service:find(Host),
    twitter_nif:memory(Index).

%% @doc Loads an author's stream, if it is not loaded. Returns whether it is in memory then: it may have no room.
-spec warm(twitter_service:served(), Author :: twitter_nif:jid()) -> boolean().
warm(#{index := Index} = Service, Author) ->
    true = holding(fun(Hold) -> load(Service, Hold, Author) end),
    holding(fun(Hold) -> twitter_nif:hold(Index, Hold, Author) end).

holding(Fun) ->
    Hold = twitter_nif:hold_new(),
    try
        Fun(Hold)
    after
        twitter_nif:release(Hold)
    end.

%% @doc One page of the merged streams of `Authors'; what is in memory of its payloads comes along, up to
%% `MaxBytes', beginning next to the anchor.
-spec page(twitter_service:served(), Authors :: [twitter_nif:jid()], reader(), twitter_nif:request(),
           MaxBytes :: non_neg_integer()) ->
          {ok, twitter_nif:page()} | {error, bad_cursor}.
page(#{index := Index} = Service, Authors, Reader, Request, MaxBytes) ->
    loaded(Service, fun(Hold) -> twitter_nif:page(Index, Hold, Authors, Reader, Request, MaxBytes) end).

%% @doc The posts of `Authors' that have one of these ids: in the order of the ids, and of posts that
%% share one the newest first.
-spec find(twitter_service:served(), Authors :: [twitter_nif:jid()], reader(), Ids :: [binary()],
           MaxBytes :: non_neg_integer()) -> [twitter_nif:post()].
find(#{index := Index} = Service, Authors, Reader, Ids, MaxBytes) ->
    {ok, Found} =
        loaded(Service, fun(Hold) -> twitter_nif:find(Index, Hold, Authors, Reader, Ids, MaxBytes) end),
    Found.

%% @doc The newest posts of `Authors' in these gaps, newest first and at most `Limit', and how many there are.
-spec missed(twitter_service:served(), Authors :: [twitter_nif:jid()], reader(), [twitter_nif:gap()],
             Limit :: non_neg_integer(), MaxBytes :: non_neg_integer()) ->
          {[twitter_nif:post()], Count :: non_neg_integer()}.
missed(#{index := Index} = Service, Authors, Reader, Gaps, Limit, MaxBytes) ->
    Ask = fun(Hold) -> twitter_nif:missed(Index, Hold, Authors, Reader, Gaps, Limit, MaxBytes) end,
    {ok, Missed} = loaded(Service, Ask),
    Missed.

%% @doc Posts that a page or a search has named, each with the size of its payload. What is not in memory
%% is read from storage, all in one go, and is in memory then. A post that went meanwhile is `gone'.
-spec read(twitter_service:served(), reader(), [twitter_nif:post()]) ->
          [{Bytes :: non_neg_integer(), twitter_store:post()} | gone].
read(Service, Reader, Named) ->
    Unread = [Post || {_Author, _Id, Version} = Post <- Named, is_integer(Version)],
    {Local, Heard} = lists:partition(fun({Author, _, _}) -> is_local(Author) end, Unread),
    Read = maps:merge(stored(Service, Local), heard(Service, Reader, Heard)),
    lists:map(fun(Post) -> entry(Post, Read) end, Named).

is_local(Author) ->
    twitter_roster:is_local(twitter_roster:bare(Author)).

stored(_Service, []) ->
    #{};
stored(#{host := Host} = Service, Unread) ->
    Posts = twitter_store:posts(Host, [{Author, Id} || {Author, Id, _} <- Unread]),
    ok = keep(Service, Unread, Posts),
    by_place(Posts).

%% Of each author at once.
heard(_Service, none, _Unread) ->
    #{};
heard(Service, Reader, Unread) ->
    ByAuthor = maps:groups_from_list(fun({Author, _, _}) -> Author end, Unread),
    by_place(lists:append([twitter_heard:read(Service, {Author, Reader}, [Id || {_, Id, _} <- Posts],
                                              fun(Found) -> keep(Service, Posts, Found) end)
                           || {Author, Posts} <- maps:to_list(ByAuthor)])).

by_place(Posts) ->
    maps:from_list([{{Author, Id}, {encode(Post), Post}} || #{author := Author, id := Id} = Post <- Posts]).

keep(_Service, _Unread, []) ->
    ok;
keep(#{index := Index}, Unread, Posts) ->
    Versions = maps:from_list([{{Author, Id}, Version} || {Author, Id, Version} <- Unread]),
    twitter_nif:keep_payloads(Index, [{Author, maps:get({Author, Id}, Versions), Id, encode(Post)}
                                      || #{author := Author, id := Id} = Post <- Posts]).

entry({Author, Id, Stored}, _Read) when is_binary(Stored) ->
    {byte_size(Stored), decode(Author, Id, Stored)};
entry({Author, Id, _Version}, Read) ->
    case Read of
        #{{Author, Id} := {Stored, Post}} -> {byte_size(Stored), Post};
        #{} -> gone
    end.

%% @doc What the core keeps of a post besides its place.
-spec encode(twitter_store:post()) -> twitter_nif:stored().
encode(#{at := At, payload := Payload, from := From}) ->
    term_to_binary({At, Payload, From});
encode(#{at := At, payload := Payload}) ->
    term_to_binary({At, Payload}).

decode(Author, Id, Stored) ->
    case binary_to_term(Stored) of
        {At, Payload, From} -> #{author => Author, id => Id, at => At, payload => Payload, from => From};
        {At, Payload} -> #{author => Author, id => Id, at => At, payload => Payload}
    end.

%% @doc The ids of all posts of a local author, oldest first.
-spec ids(twitter_service:served(), Author :: twitter_nif:jid()) -> [binary()].
ids(Service, Author) ->
    All = {oldest_first, first_page, 16#ffffffff},
    {ok, {Posts, _, _, _, _}} = page(Service, [Author], none, All, 0),
    [Id || {_, Id, _} <- Posts].

%% @doc A post was stored or deleted: the indexes of all nodes take what `Read' reads of it in storage, and this
%% returns that.
-spec refresh(twitter_service:served(), Author :: twitter_nif:jid(), Id :: binary(),
              Read :: fun(() -> Stored)) -> Stored when Stored :: {ok, twitter_store:post()} | none.
refresh(#{host := Host, server_host := ServerHost, index := Index} = Service, Author, Id, Read) ->
    try reread(Service, Author, Id, Read) of
        {taken, Stored, Change} ->
            ok = twitter_cluster:tell(ServerHost, {Host, Author}, {index, Host, Author, Change}),
            Stored;
        {stale, _, _} ->
            refresh(Service, Author, Id, Read)
    catch
        Class:Reason:Stacktrace ->
            %% It was changed all the same, and nobody may be shown what was there before.
            ok = twitter_nif:forget(Index, Author),
            ok = twitter_cluster:tell(ServerHost, {Host, Author}, {index, Host, Author, forget}),
            erlang:raise(Class, Reason, Stacktrace)
    end.

reread(#{index := Index} = Service, Author, Id, Read) ->
    Version = twitter_nif:version(Index, Author),
    Stored = Read(),
    Change = case Stored of
                 {ok, Post} -> {put, Post};
                 none -> {remove, Id}
             end,
    {offer_change(Service, Author, Version, Change), Stored, Change}.

offer_change(#{index := Index}, Author, Version, {put, #{id := Id, at := At} = Post}) ->
    twitter_nif:put(Index, Author, Version, twitter_store:micros(At), Id, encode(Post));
offer_change(#{index := Index}, Author, Version, {remove, Id}) ->
    twitter_nif:remove(Index, Author, Version, Id).

%% @doc This was changed on another node.
-spec change(twitter_service:served(), Author :: twitter_nif:jid(), change()) -> ok.
change(#{index := Index}, Author, forget) ->
    twitter_nif:forget(Index, Author);
change(#{index := Index} = Service, Author, Change) ->
    case offer_change(Service, Author, twitter_nif:version(Index, Author), Change) of
        taken -> ok;
        %% A reader has loaded the stream meanwhile.
        stale -> change(Service, Author, Change)
    end.

%% @doc An author's posts changed in some other way: no node knows them any more.
-spec forget(Host :: binary(), Author :: twitter_nif:jid()) -> ok.
forget(Host, Author) ->
    case twitter_service:find(Host) of
        {ok, #{server_host := ServerHost, index := Index}} ->
            ok = twitter_nif:forget(Index, Author),
            twitter_cluster:tell(ServerHost, {Host, Author}, {index, Host, Author, forget});
        %% The next index starts empty.
        error ->
            ok
    end.

%% @doc The same of this node only: others hear of it by themselves.
-spec forget_here(Host :: binary(), Author :: twitter_nif:jid()) -> ok.
forget_here(Host, Author) ->
    case twitter_service:find(Host) of
        {ok, #{index := Index}} -> twitter_nif:forget(Index, Author);
        error -> ok
    end.

%% @doc This node may have missed changes of anybody: everything is read again.
-spec forget_all(twitter_service:served()) -> ok.
forget_all(#{index := Index}) ->
    twitter_nif:forget_all(Index).

%% What is loaded stays in the hand of who asked, so that he has to ask only once more, however
%% little room there is.
loaded(Service, Ask) ->
    Hold = twitter_nif:hold_new(),
    case Ask(Hold) of
        {error, {not_loaded, Authors}} ->
            try
                lists:foreach(fun(Author) -> load(Service, Hold, Author) end, Authors),
                Ask(Hold)
            after
                twitter_nif:release(Hold)
            end;
        Answer ->
            Answer
    end.

%% One reader loads for all, while the author does not write here. Of what another node writes this one is told later
%% than it is stored, so a stream that was read before is stale then. What was heard is in several records, which have
%% to fit together.
load(#{index := Index} = Service, Hold, Author) ->
    Load = fun() -> twitter_nif:hold(Index, Hold, Author) orelse offer(Service, Hold, Author) end,
    case is_local(Author) of
        true -> twitter_writer:run_here(Service, Author, Load);
        false -> twitter_writer:run(Service, Author, Load)
    end.

offer(#{index := Index} = Service, Hold, Author) ->
    Version = twitter_nif:version(Index, Author),
    case offered(Service, Hold, Author, Version, is_local(Author)) of
        taken -> true;
        stale -> offer(Service, Hold, Author)
    end.

offered(#{host := Host, index := Index}, Hold, Author, Version, true) ->
    twitter_nif:load(Index, Hold, Author, Version, twitter_store:places(Host, Author));
offered(#{host := Host, index := Index}, Hold, Author, Version, false) ->
    {Places, Readers} = twitter_heard:load(Host, Author),
    twitter_nif:load_heard(Index, Hold, Author, Version, Places, Readers).
