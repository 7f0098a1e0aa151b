%%% The obvious way in Erlang: binary matching, and tables of ETS that every process can read.
-module(crossing_plain).

-export([parse_node/1, recipients/2, page/3]).

%% @doc As {@link twitter_nif:parse_node/1}.
-spec parse_node(binary()) -> foreign | unknown | twitter_nif:node_term().
parse_node(<<"/twitter">>) -> root;
parse_node(<<"/twitter/", Rest/binary>>) -> below_root(Rest);
parse_node(_) -> foreign.

below_root(<<"MyStream">>) ->
    {stream, mine};
below_root(<<"MyStream/", Id/binary>>) ->
    post(mine, Id);
below_root(<<"FriendsStream">>) ->
    {stream, friends};
below_root(<<"FriendsStream/", Id/binary>>) ->
    post(friends, Id);
below_root(<<"MyFriends">>) ->
    my_friends;
below_root(<<"MyFriends/", Rest/binary>>) ->
    [Jid | Id] = binary:split(Rest, <<"/">>),
    case {is_jid(Jid), Id} of
        {false, _} -> unknown;
        {true, []} -> {stream, {friend, Jid}};
        {true, [PostId]} -> post({friend, Jid}, PostId)
    end;
below_root(_) ->
    unknown.

post(_Stream, <<>>) -> unknown;
post(Stream, Id) -> {post, {Stream, Id}}.

is_jid(Jid) ->
    case binary:split(Jid, <<"@">>, [global]) of
        [Local, Domain] -> is_part(Local) andalso is_part(Domain);
        [Domain] -> is_part(Domain);
        _ -> false
    end.

is_part(Part) ->
    Part =/= <<>> andalso byte_size(Part) =< 1023 andalso is_clean(Part).

%% Less than the core asks for: no white space or control character outside ASCII is found.
is_clean(<<C/utf8, Rest/binary>>) -> C > 32 andalso C =/= 127 andalso is_clean(Rest);
is_clean(Rest) -> Rest =:= <<>>.

%% @doc Who of a list of followers is online, with his sessions.
-spec recipients(Online :: ets:table(), Followers :: [{User :: binary(), Server :: binary()}]) ->
    [{User :: binary(), Server :: binary(), [twitter_nif:session()]}].
recipients(Online, Followers) ->
    [
        {User, Server, [Session || {_, Session} <- Sessions]}
     || {User, Server} <- Followers, [_ | _] = Sessions <- [ets:lookup(Online, User)]
    ].

%% @doc The newest posts of some authors: keys of the table are `{Author, -Time, Id}'.
-spec page(Keys :: ets:table(), Authors :: [binary()], Limit :: non_neg_integer()) ->
    [{Author :: binary(), Id :: binary()}].
page(Keys, Authors, Limit) ->
    Heads = [Head || Author <- Authors, Head <- next(Keys, {Author, -16#ffffffffffffffff, <<>>})],
    merged(Keys, lists:sort(Heads), Limit).

merged(_Keys, [], _Limit) ->
    [];
merged(_Keys, _Heads, 0) ->
    [];
merged(Keys, [{Time, Author, Id} | Heads], Left) ->
    Next = next(Keys, {Author, Time, Id}),
    [{Author, Id} | merged(Keys, lists:merge(Next, Heads), Left - 1)].

%% What follows a key, in the order of the page; nothing if that is another author's.
next(Keys, {Author, _, _} = Key) ->
    case ets:next(Keys, Key) of
        {Author, Time, Id} -> [{Time, Author, Id}];
        _ -> []
    end.
